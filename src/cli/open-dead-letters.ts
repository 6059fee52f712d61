import { resolve } from 'node:path';
import type { PipelineConfig } from '../../config/index.js';
import type { Logger } from '../kit/index.js';
import {
  type DeadLetterTarget,
  FileDeadLetters,
  RedisDeadLetters,
  SinkDeadLetters,
} from '../pipeline/index.js';
import { describePath } from './describe-path.js';
import { redactText } from './redact.js';

/** Where the dead letters of a pipeline go, as its file says. */
export const openDeadLetters = async (
  { name, deadLetters, deadLetterSink }: PipelineConfig,
  log: Logger,
): Promise<DeadLetterTarget> => {
  if (deadLetterSink !== undefined) {
    const { definition, options } = deadLetterSink;
    const sink = await definition.create(options, { pipeline: `${name}.dead-letters`, log });
    return new SinkDeadLetters(sink, deadLetterSink.name);
  }
  return deadLetters.url === ''
    ? new FileDeadLetters(resolve(deadLetters.path), log)
    : new RedisDeadLetters(deadLetters.url, deadLetters.stream.replaceAll('{pipeline}', name));
};

/** Where that is, for whoever looks for letters and finds none. */
export const describeDeadLetters = ({ name, deadLetters, deadLetterSink }: PipelineConfig): string => {
  if (deadLetterSink !== undefined) return `the sink ${deadLetterSink.name}`;
  if (deadLetters.url !== '')
    return `${deadLetters.stream.replaceAll('{pipeline}', name)} at ${redactText(deadLetters.url)}`;
  return describePath(deadLetters.path);
};
