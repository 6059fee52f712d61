import type { RedisClusterSinkOptions } from '../../../sinks/redis/cluster/redis-cluster-sink.js';
import { RedisSink } from '../../../sinks/redis/redis-sink.js';
import { TailraceError } from '../../errors/index.js';
import type { PluginContext, Sink } from '../../kit/index.js';
import { RecordFilter, ServerConnection, ServerRecords } from '../../migration/index.js';
import { parseRedisUrl, type RespAddress } from '../../resp/index.js';
import { placeOfUrl } from '../place-of-url.js';
import { lookAtExisting } from './existing-keys.js';
import { positionKeyOf, type TargetOptions, type TargetPlace } from './target-place.js';
import { lookAtTarget, requireWritable } from './target-server.js';

/** A server as the target: a Redis, a Redis Cluster, a Kvrocks or a tailrace. */
export const openServer = async (options: TargetOptions, signal: AbortSignal): Promise<TargetPlace> => {
  const { url, password, name, namespaces, existing, logger } = options;
  const address = parseRedisUrl(url, password);
  const { kind, masters, runId } = await lookAtTarget(address, signal);
  const place = placeOfUrl(url);
  const isSource =
    runId === undefined ? isSameAddress(address, options.sourceAddress) : runId === options.sourceRunId;
  if (isSource) throw ownTarget(place);
  if (masters.length === 0) await requireWritable(address, signal);
  const { rawNamespaces } = options;
  if (kind !== 'redis' && masters.length === 0 && rawNamespaces !== undefined && existing !== 'skip')
    return await openRaw(options, address, kind, rawNamespaces);
  const hasKvrocksTypes = kind !== 'redis';
  if (hasKvrocksTypes)
    logger.warn('the target is filled by commands: Bloom filters cannot be copied', { target: place });
  const positionKey = positionKeyOf(name);
  const context = { pipeline: name, log: logger };
  const common = { password, positionKey, namespaces, hasKvrocksTypes };
  const sink =
    masters.length === 0
      ? new RedisSink({ ...common, url }, context)
      : await clusterSink({ ...common, urls: [url] }, context);
  const nodes = masters.length === 0 ? [address] : masters;
  return {
    name: place,
    sink,
    keepsNumbers: false,
    clears: false,
    prepare: (whenAborted) => lookAtExisting(nodes, positionKey, existing, namespaces, whenAborted),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
};

// What a migration to a single Redis need not wait for is loaded when it is wanted.
const clusterSink = async (options: RedisClusterSinkOptions, context: PluginContext): Promise<Sink> => {
  const { RedisClusterSink } = await import('../../../sinks/redis/cluster/redis-cluster-sink.js');
  return new RedisClusterSink(options, context);
};

/** A store of the same format: records as they are, and the position as one of them. */
const openRaw = async (
  { url, password, name, existing, logger }: TargetOptions,
  address: RespAddress,
  kind: 'kvrocks' | 'tailrace',
  namespaces: readonly string[],
): Promise<TargetPlace> => {
  const { KvrocksSink } = await import('../../../sinks/kvrocks/index.js');
  const positionKey = positionKeyOf(name);
  const delivery = kind === 'tailrace' ? 'exactly-once' : 'at-least-once';
  const sink = new KvrocksSink({ url, password, delivery, positionKey }, { pipeline: name, log: logger });
  const filter = new RecordFilter({ namespaces, ownKey: positionKey });
  return {
    name: placeOfUrl(url),
    sink,
    filter,
    keepsNumbers: false,
    clears: false,
    prepare: async (signal) => {
      if (existing === 'overwrite') return [];
      await lookAtExisting([address], positionKey, existing, { default: '' }, signal);
      if (kind === 'tailrace') await requireNoRecords(address, filter, signal);
      return [];
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
};

/** Keys of the other namespaces, which no SCAN shows. */
const requireNoRecords = async (
  address: RespAddress,
  filter: RecordFilter,
  signal: AbortSignal,
): Promise<void> => {
  const connection = new ServerConnection(address);
  try {
    const records = new ServerRecords(connection);
    let after: Buffer | undefined;
    do {
      const part = await records.readRecords(after, 64 * 1024, signal);
      if (filter.keep(part.batch).keys > 0)
        throw new TailraceError('SINK_REFUSED', `${connection.place} is not empty: a namespace has keys`, {
          context: { target: connection.place },
          remedy: 'Empty it, or replace keys of the same name by --existing overwrite.',
        });
      after = part.next;
    } while (after !== undefined);
  } finally {
    connection.close();
  }
};

const isSameAddress = (target: RespAddress, source: RespAddress | undefined): boolean =>
  target.host === source?.host && target.port === source.port && target.password === source.password;

const ownTarget = (place: string): TailraceError =>
  new TailraceError('USAGE', `${place} is the source and the target`, {
    context: { target: place },
    remedy: 'Give the address of another server by --to.',
  });
