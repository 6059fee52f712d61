export type { Change, Transaction, Undecodable, ValueType } from '../data-model/index.js';
export type { Logger, PluginContext, SinkDefinition, SourceDefinition } from './plugin.js';
export type { Position, StartPoint } from './position.js';
export type { Claim, Guarantee, Rejection, Sink, SinkBatch, WriteOutcome } from './sink.js';
export type { Pulled, PullLimit, Source, SourceBatch } from './source.js';
