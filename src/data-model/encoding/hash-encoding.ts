import { readU64BigEndian } from '../../bytes/index.js';

/**
 * Hashes: sub-key = field, value = the field's value, metadata adds nothing. That is how hashes are written here. A Kvrocks
 * that is told to let single fields expire writes them otherwise, which is read but not written:
 *
 *   metadata adds   0         1             9           17          25
 *                   | mode u8 | persist u64 | lower u64 | upper u64 |     mode 0 = as above, 1 = expiring
 *   value           0                                   8
 *                   | expire u64 ms, 0 = never          | the field's value …
 *
 * `persist` counts the fields that never expire, `lower` and `upper` bound the times of the others.
 */
export type FieldLayout = 'plain' | 'expiring' | 'unknown';

const layoutByMode: readonly (FieldLayout | undefined)[] = ['plain', 'expiring'];

/** How the fields of a hash are stored, by what its metadata adds. */
export const fieldLayoutOf = (payload: Uint8Array): FieldLayout =>
  payload.length === 0 ? 'plain' : (layoutByMode[payload[0]] ?? 'unknown');

/** The same by the mode's number in a LogData. */
export const fieldLayoutOfMode = (mode: string | undefined): FieldLayout =>
  layoutByMode[Number(mode)] ?? 'unknown';

/** Bytes before a field's value in an expiring hash. */
export const fieldExpiryBytes = 8;

/** When a field of an expiring hash ends: ms since the epoch, 0 = never; NaN when the value is too short to have it. */
export const readFieldExpiry = (value: Uint8Array): number =>
  value.length < fieldExpiryBytes ? Number.NaN : readU64BigEndian(value, 0);
