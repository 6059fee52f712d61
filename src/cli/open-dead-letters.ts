import { resolve } from 'node:path';
import type { PipelineConfig } from '../../config/index.js';
import type { Logger } from '../kit/index.js';
import {
  type DeadLetterTarget,
  FileDeadLetters,
  RedisDeadLetters,
  SinkDeadLetters,
} from '../pipeline/index.js';

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
