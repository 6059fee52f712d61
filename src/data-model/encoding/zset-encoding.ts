import { orderedDoubleBytes, readOrderedDouble, writeOrderedDouble } from '../../bytes/index.js';

/**
 * Sorted sets hold each member twice:
 *
 *   column family 0   sub-key = member                     value = score (ordered double)
 *   column family 2   sub-key = score (8 bytes) | member   value empty
 *
 * so that a member's score is one read, and a walk of column family 2 is in the order of scores, then members.
 */
export interface ScoredMember {
  readonly score: number;
  readonly member: Buffer;
}

/** The value of a member's entry. Owns what it returns. */
export const encodeScore = (score: number): Buffer => {
  const value = Buffer.allocUnsafe(orderedDoubleBytes);
  writeOrderedDouble(value, 0, score);
  return value;
};

/** The score in a member's value; undefined when the bytes are none. */
export const readScore = (value: Uint8Array): number | undefined =>
  value.length === orderedDoubleBytes ? readOrderedDouble(value, 0) : undefined;

/** The internal key of the score index. Owns what it returns. */
export const encodeScoreKey = (subKeyPrefix: Uint8Array, score: number, member: Uint8Array): Buffer => {
  const key = Buffer.allocUnsafe(subKeyPrefix.length + orderedDoubleBytes + member.length);
  key.set(subKeyPrefix, 0);
  const memberAt = writeOrderedDouble(key, subKeyPrefix.length, score);
  key.set(member, memberAt);
  return key;
};

/** Splits the sub-key of the score index; undefined when it is too short. Borrows `subKey`. */
export const readScoreKey = (subKey: Buffer): ScoredMember | undefined =>
  subKey.length < orderedDoubleBytes
    ? undefined
    : { score: readOrderedDouble(subKey, 0), member: subKey.subarray(orderedDoubleBytes) };
