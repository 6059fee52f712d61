import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../kit/index.js';
import type { ServerConnection } from '../../migration/index.js';

/** What is known before a migration starts. */
export interface RetentionFigures {
  /** For how long a Kvrocks keeps its log, in seconds; 0 = no limit by time. */
  readonly ttlSeconds: number;
  /** How much of its log it keeps, in bytes; 0 = no limit by size. */
  readonly limitBytes: number;
  readonly writesPerSecond: number;
  readonly keys: number;
  /** 0 = no limit. */
  readonly maxKeysPerSecond: number;
}

/**
 * Why the log may not reach back to the start of the snapshot when that is done, with the figures; undefined when it will. The
 * log is kept until both limits are exceeded where both are set, and not at all without any.
 */
export const retentionRisk = (figures: RetentionFigures): string | undefined => {
  const { ttlSeconds, limitBytes, writesPerSecond, keys, maxKeysPerSecond } = figures;
  const rate = maxKeysPerSecond > 0 ? Math.min(maxKeysPerSecond, assumedKeysPerSecond) : assumedKeysPerSecond;
  const neededSeconds = Math.ceil(keys / rate);
  const bySize =
    writesPerSecond > 0
      ? limitBytes / (writesPerSecond * assumedBytesPerWrite)
      : limitBytes > 0
        ? Infinity
        : 0;
  const keptSeconds = Math.max(ttlSeconds, bySize);
  if (keptSeconds >= safety * neededSeconds) return undefined;
  return `its log is kept for about ${Math.round(keptSeconds)} s (${ttlSeconds} s, ${Math.round(limitBytes / 1e6)} MB) at ${Math.round(writesPerSecond)} writes/s, and reading ${keys} keys takes about ${neededSeconds} s`;
};

/**
 * Warns when the log of the source is kept for too short; servers that do not tell are not asked further. A tailrace keeps it
 * for the migration however long that takes, up to a size.
 */
export const warnOfRetention = async (
  { server, isTailrace }: { readonly server: ServerConnection; readonly isTailrace: boolean },
  keys: number,
  maxKeysPerSecond: number,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> => {
  const [ttl, limit] = await server.callAll(signal, [
    ['CONFIG', 'GET', 'rocksdb.wal_ttl_seconds'],
    ['CONFIG', 'GET', 'rocksdb.wal_size_limit_mb'],
  ]);
  const [ttlSeconds, limitMb] = [ttl, limit].map((reply) =>
    Array.isArray(reply) ? Number(reply[1]) : Number.NaN,
  );
  if (!Number.isFinite(ttlSeconds) || !Number.isFinite(limitMb)) return;
  const sequence = async (): Promise<number> =>
    Number(/^sequence:(\d+)/m.exec(String(await server.call(signal, 'INFO', 'keyspace')))?.[1] ?? 0);
  const before = await sequence();
  const startMs = performance.now();
  await delay(measuredMs, undefined, { signal });
  const writesPerSecond = ((await sequence()) - before) / ((performance.now() - startMs) / 1000);
  const limitBytes = limitMb * 1024 * 1024;
  const keptSeconds = isTailrace ? 0 : ttlSeconds;
  const reason = retentionRisk({
    ttlSeconds: keptSeconds,
    limitBytes,
    writesPerSecond,
    keys,
    maxKeysPerSecond,
  });
  if (reason !== undefined)
    logger.warn(
      isTailrace
        ? 'the log of the source may become larger than it may be: raise --wal-max of tailrace serve'
        : 'the log of the source may be too short: raise rocksdb.wal_ttl_seconds and rocksdb.wal_size_limit_mb',
      { reason },
    );
};

/** By the commands of each type, over a network: rather few. */
const assumedKeysPerSecond = 20_000;
const assumedBytesPerWrite = 200;
/** Catching up takes time, too. */
const safety = 2;
const measuredMs = 300;
