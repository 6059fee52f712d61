import type { SinkDefinition } from '../../src/kit/index.js';
import { KvrocksSink, type KvrocksSinkOptions } from './kvrocks-sink.js';

export { KvrocksSink, type KvrocksSinkOptions } from './kvrocks-sink.js';

/** The sink `kvrocks`, as pipeline files name it. */
export const kvrocksSink: SinkDefinition<KvrocksSinkOptions> = {
  name: 'kvrocks',
  summary: 'whole write batches into a tailrace (exactly once) or an Apache Kvrocks (at least once)',
  schema: {
    url: {
      doc: 'redis://[user:password@]host:port of the target, or rediss:// for TLS',
      format: 'redis-url',
      default: '',
    },
    password: {
      doc: 'password of the administrator, if it is not in the URL',
      format: String,
      default: '',
      sensitive: true,
    },
    delivery: {
      doc: 'exactly-once needs a tailrace as the target; at-least-once also takes an Apache Kvrocks',
      format: ['exactly-once', 'at-least-once'],
      default: 'exactly-once',
    },
    positionKey: {
      doc: 'the key that holds the position, a string in the default namespace',
      format: String,
      default: 'tailrace:{pipeline}:position',
    },
    answerTimeout: {
      doc: 'how long the target may be silent before the connection is given up',
      format: 'timeout',
      default: 60_000,
    },
  },
  create: (options, context) => new KvrocksSink(options, context),
};
