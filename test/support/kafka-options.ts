import { type KafkaSinkOptions, kafkaSink } from '../../sinks/kafka/index.js';

/** The options of a kafka sink with the defaults of its schema. */
export const kafkaOptions = (given: Partial<KafkaSinkOptions>): KafkaSinkOptions => ({
  ...(defaultsOf(kafkaSink.schema) as KafkaSinkOptions),
  ...given,
});

const defaultsOf = (schema: object): unknown =>
  Object.fromEntries(
    Object.entries(schema).map(([name, entry]: [string, object]) => [
      name,
      'default' in entry ? entry.default : defaultsOf(entry),
    ]),
  );
