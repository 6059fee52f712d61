import type { SinkDefinition } from '../../src/kit/index.js';
import { type KafkaSinkOptions, kafkaSinkSchema } from './kafka-options.js';
import { KafkaSink } from './kafka-sink.js';

export type { KafkaSinkOptions } from './kafka-options.js';
export { KafkaSink } from './kafka-sink.js';

export const kafkaSink: SinkDefinition<KafkaSinkOptions> = {
  name: 'kafka',
  summary: 'change events, Redis commands or raw batches in Kafka, exactly once',
  schema: kafkaSinkSchema,
  create: (options, context) => new KafkaSink(options, context),
};
