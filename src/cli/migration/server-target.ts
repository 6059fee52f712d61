import { RedisClusterSink, RedisSink } from '../../../sinks/redis/index.js';
import { TailraceError } from '../../errors/index.js';
import { parseRedisUrl } from '../../resp/index.js';
import { lookAtExisting } from './existing-keys.js';
import { placeOfUrl } from './source-place.js';
import { positionKeyOf, type TargetOptions, type TargetPlace } from './target-place.js';
import { lookAtTarget, requireWritable } from './target-server.js';

/** A server as the target: a Redis, a Redis Cluster, a Kvrocks or a tailrace. */
export const openServer = async (options: TargetOptions, signal: AbortSignal): Promise<TargetPlace> => {
  const { url, password, name, namespaces, existing, logger } = options;
  const parsed = parseRedisUrl(url);
  const address = password === '' ? parsed : { ...parsed, password };
  const { kind, masters, runId } = await lookAtTarget(address, signal);
  const place = placeOfUrl(url);
  if (runId !== undefined && runId === options.sourceRunId) throw ownTarget(place);
  if (masters.length === 0) await requireWritable(address, signal);
  if (kind !== 'redis')
    logger.warn(
      'the target is filled by the commands of Redis: bitmaps, JSON and HyperLogLogs become strings',
      { target: place },
    );
  const positionKey = positionKeyOf(name);
  const context = { pipeline: name, log: logger };
  const sink =
    masters.length === 0
      ? new RedisSink({ url, password, positionKey, namespaces }, context)
      : new RedisClusterSink({ urls: [url], password, positionKey, namespaces }, context);
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

const ownTarget = (place: string): TailraceError =>
  new TailraceError('USAGE', `${place} is the source and the target`, {
    context: { target: place },
    remedy: 'Give the address of another server by --to.',
  });
