import type { SinkDefinition } from '../../src/kit/index.js';
import { RedisSink, type RedisSinkOptions } from './redis-sink.js';

export { RedisSink, type RedisSinkOptions } from './redis-sink.js';

export const redisSink: SinkDefinition<RedisSinkOptions> = {
  name: 'redis',
  summary: 'Redis commands on a Redis, exactly once',
  schema: {
    url: {
      doc: 'redis://[user:password@]host:port[/database], or rediss:// for TLS',
      format: 'required-string',
      default: '',
    },
    password: { doc: 'password, if it is not in the URL', format: String, default: '', sensitive: true },
    positionKey: {
      doc: 'the key that holds the position',
      format: String,
      default: 'tailrace:{pipeline}:position',
    },
  },
  create: (options, context) => new RedisSink(options, context),
};
