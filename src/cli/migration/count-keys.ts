import type { SourcePlace } from './source-place.js';

/** About how many keys the source has; undefined where it does not tell. A Kvrocks tells what it counted last. */
export const countKeys = async (source: SourcePlace, signal: AbortSignal): Promise<number | undefined> => {
  if (source.connection === undefined) return undefined;
  const info = String(await source.connection.call(signal, 'INFO', 'keyspace').catch(() => ''));
  const digits = /^db0:keys=(\d+)/m.exec(info)?.[1];
  return digits === undefined ? undefined : Number(digits);
};
