import { resolve } from 'node:path';
import type { PipelineConfig } from '../../config/index.js';
import { type DeadLetterTarget, FileDeadLetters, RedisDeadLetters } from '../pipeline/index.js';

/** Where the dead letters of a pipeline go, as its file says. */
export const openDeadLetters = ({ name, deadLetters }: PipelineConfig): DeadLetterTarget =>
  deadLetters.url === ''
    ? new FileDeadLetters(resolve(deadLetters.path))
    : new RedisDeadLetters(deadLetters.url, deadLetters.stream.replaceAll('{pipeline}', name));
