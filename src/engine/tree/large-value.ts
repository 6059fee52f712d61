import type { Run } from '../space/index.js';
import { maxEntryBytes, maxInlineKeyBytes, pageBytes, putU32, u32 } from './page.js';

/** Where a value lies that is too large for a page: runs of units in order, all full but the last. */
export interface LargeReference {
  readonly runs: readonly Run[];
  /** CRC-32 of the value. */
  readonly checksum: number;
}

/** True when a value does not fit into an entry with its key. */
export const isLargeValue = (keyLength: number, valueLength: number): boolean =>
  Math.min(keyLength, maxInlineKeyBytes) + valueLength > maxEntryBytes - entryOverheadBytes;

/** Both varints, a tail and the slot, at most. */
const entryOverheadBytes = 3 + 5 + 12 + 2;

/** How many runs a value may be spread over when no free run is long enough for it. */
export const maxLargeRuns = 16;

/**
 * The reference that an entry holds, by its first field: unit 0 belongs to a superblock, so no run begins there.
 *
 *   0      4     8                                     0     4     8       9 + 8i
 *   | unit | crc |  the value lies in one run          | 0   | crc | count | unit, units …   in `count` runs
 *     u32    u32                                         u32   u32   u8      u32   u32
 */
export const largeReferenceOf = ({ runs, checksum }: LargeReference): Uint8Array => {
  const bytes = new Uint8Array(runs.length === 1 ? oneRunBytes : spreadBytes(runs.length));
  putU32(bytes, 4, checksum);
  if (runs.length === 1) {
    putU32(bytes, 0, runs[0].start);
    return bytes;
  }
  bytes[8] = runs.length;
  for (const [i, { start, length }] of runs.entries()) {
    putU32(bytes, spreadBytes(i), start);
    putU32(bytes, spreadBytes(i) + 4, length);
  }
  return bytes;
};

/** Length of the reference at `at`, in bytes. */
export const largeReferenceLength = (bytes: Uint8Array, at: number): number =>
  u32(bytes, at) === 0 ? spreadBytes(bytes[at + 8]) : oneRunBytes;

export const readLargeReference = (bytes: Uint8Array, at: number, valueLength: number): LargeReference => {
  const start = u32(bytes, at);
  const checksum = u32(bytes, at + 4);
  if (start !== 0) return { runs: [{ start, length: unitsFor(valueLength) }], checksum };
  const runs: Run[] = [];
  for (let i = 0; i < bytes[at + 8]; i++)
    runs.push({ start: u32(bytes, at + spreadBytes(i)), length: u32(bytes, at + spreadBytes(i) + 4) });
  return { runs, checksum };
};

/** Units that so many bytes take in a run of their own. */
export const unitsFor = (byteLength: number): number => Math.max(1, Math.ceil(byteLength / pageBytes));

const spreadBytes = (runs: number): number => 9 + 8 * runs;
const oneRunBytes = 8;
/** The longest that a reference can be. */
export const maxLargeReferenceBytes = spreadBytes(maxLargeRuns);
