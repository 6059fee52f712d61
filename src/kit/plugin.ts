import type { Transaction } from '../data-model/index.js';
import type { OptionsSchema } from './options-schema.js';
import type { Sink } from './sink.js';
import type { Source } from './source.js';

/** A line of the log: an event in a few words and its facts. Never secrets. */
export interface Logger {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void;
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** What the pipeline tells a source or sink when it opens one. */
export interface PluginContext {
  /** Unique name of the pipeline; positions in targets are kept under it. */
  readonly pipeline: string;
  /** Name of the sink within the pipeline; that of its definition unless there are several, or the file names it. */
  readonly sink?: string;
  readonly log: Logger;
}

/**
 * The name under which a sink keeps its position in a target: the pipeline's, and the sink's when the file gave it one of
 * its own, so that two sinks of one pipeline do not fence each other in the same target.
 *
 * @param definition name of the sink's definition
 */
export const positionOwner = ({ pipeline, sink }: PluginContext, definition: string): string =>
  sink === undefined || sink === definition ? pipeline : `${pipeline}.${sink}`;

/**
 * A source connector: its name in the config, the convict schema of its options (from which validation,
 * defaults, `--help` and the docs table derive), and how to make one.
 *
 * @example
 * export const source: SourceDefinition<{ path: string }> = {
 *   name: 'wal',
 *   summary: 'a directory of RocksDB log files',
 *   schema: { path: { doc: 'directory of log files', format: String, default: '' } },
 *   create: (options, context) => new WalSource(options, context),
 * };
 */
export interface SourceDefinition<Options> {
  readonly name: string;
  readonly summary: string;
  readonly schema: OptionsSchema<Options>;
  /** Makes a session. Called once for each reader: the sinks of one pipeline may read at different places. */
  create(options: Options, context: PluginContext): Source;
  /**
   * What tells the changes of its batches, when these are no write batches of Kvrocks' data model; one for each session.
   * Sinks that take whole batches cannot be fed by such a source.
   */
  makeDecoder?(): { decode(batch: Buffer): Transaction };
}

/** A sink connector; see SourceDefinition. */
export interface SinkDefinition<Options> {
  readonly name: string;
  readonly summary: string;
  readonly schema: OptionsSchema<Options>;
  /** Made at once, or when its code has been loaded: a sink that takes much of it loads it only here. */
  create(options: Options, context: PluginContext): Sink | Promise<Sink>;
  /**
   * What of the target such a sink must have to itself, such as a file: two sinks of the files that run together are
   * refused when they name the same. Compared, never shown.
   */
  soleTarget?(options: Options): string | undefined;
}
