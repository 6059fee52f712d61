import type { SinkDefinition } from '../../src/kit/index.js';
import { type KafkaSinkOptions, kafkaSinkSchema } from './kafka-options.js';

export type { KafkaSinkOptions } from './kafka-options.js';
export type { KafkaSink } from './kafka-sink.js';

/** The sink `kafka`, as pipeline files name it. */
export const kafkaSink: SinkDefinition<KafkaSinkOptions> = {
  name: 'kafka',
  summary: 'change events, Redis commands or raw batches in Kafka, exactly once',
  schema: kafkaSinkSchema,
  create: async (options, context) => {
    const { KafkaSink } = await import('./kafka-sink.js');
    return new KafkaSink(options, context);
  },
};
