import type { SinkDefinition } from '../../src/kit/index.js';
import { RedisSink, type RedisSinkOptions } from './redis-sink.js';

export { RedisSink, type RedisSinkOptions } from './redis-sink.js';

const requirePrefixes = (value: unknown): void => {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap || Object.values(value).some((prefix) => typeof prefix !== 'string'))
    throw new Error('must be a map of namespaces to prefixes');
};

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
    namespaces: {
      doc: 'what the keys of each namespace start with in the target, such as {default: "", orders: "orders:"}; changes of others are refused',
      format: requirePrefixes,
      default: { default: '' },
    },
  },
  create: (options, context) => new RedisSink(options, context),
};
