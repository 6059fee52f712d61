import { parseRedisUrl, type SinkDefinition, TailraceError } from '../../src/kit/index.js';
import { RedisClusterSink } from './cluster/redis-cluster-sink.js';
import { RedisSink, type RedisSinkOptions } from './redis-sink.js';

export { kvrocksTypes } from './batch-commands.js';
export { RedisClusterSink, type RedisClusterSinkOptions } from './cluster/redis-cluster-sink.js';
export { RedisSink, type RedisSinkOptions } from './redis-sink.js';

const requireTargets = (value: unknown): void => {
  const isTarget = (target: unknown): boolean =>
    typeof target === 'string' || (Number.isSafeInteger(target) && Number(target) >= 0);
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap || !Object.values(value).every(isTarget))
    throw new Error('must be a map of namespaces to prefixes (texts) or database numbers');
};

const requireAddresses = (value: unknown): void => {
  try {
    for (const url of value as Iterable<string>) parseRedisUrl(url);
  } catch {
    throw new Error('must be a list of addresses such as redis://host:6379');
  }
};

/** What a pipeline file says of a Redis, alone or a cluster. */
export interface RedisTargetOptions extends RedisSinkOptions {
  readonly cluster: boolean;
  readonly nodes: readonly string[];
}

/** The sink `redis`, as pipeline files name it: on one server or a cluster. */
export const redisSink: SinkDefinition<RedisTargetOptions> = {
  name: 'redis',
  summary: 'Redis commands on a Redis or a Redis Cluster, exactly once',
  schema: {
    url: {
      doc: 'redis://[user:password@]host:port[/database], or rediss:// for TLS',
      format: 'redis-url',
      default: '',
    },
    password: { doc: 'password, if it is not in the URL', format: String, default: '', sensitive: true },
    cluster: {
      doc: 'the target is a Redis Cluster, of which url is a node: exactly once for each slot',
      format: Boolean,
      default: false,
    },
    nodes: {
      doc: 'addresses of more nodes of the cluster, for when the first cannot be reached',
      format: requireAddresses,
      default: [],
    },
    positionKey: {
      doc: 'the key that holds the position',
      format: String,
      default: 'tailrace:{pipeline}:position',
    },
    namespaces: {
      doc: 'where the keys of each namespace go: what they start with, or the number of a database, such as {default: "", orders: "orders:", carts: 3}; changes of others are refused',
      format: requireTargets,
      default: { default: '' },
    },
    answerTimeout: {
      doc: 'how long the target may be silent before the connection is given up',
      format: 'timeout',
      default: 60_000,
    },
    expiryGrace: {
      doc: 'how much longer keys live in the target than their expiry says: what is given more time while the sink lags by less than this is not lost',
      format: 'age',
      default: 0,
    },
  },
  create: ({ cluster, nodes, url, ...options }, context) => {
    if (cluster) return new RedisClusterSink({ urls: [url, ...nodes], ...options }, context);
    if (nodes.length === 0) return new RedisSink({ url, ...options }, context);
    throw new TailraceError('CONFIG_INVALID', 'nodes are named, but the target is no cluster', {
      remedy: 'Write cluster: true when it is one, or leave out nodes.',
    });
  },
};
