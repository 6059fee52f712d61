import { readU64BigEndian, writeU64BigEndian } from '../../bytes/index.js';
import { readStreamId, type StreamId, streamIdBytes, writeStreamId } from './stream-encoding.js';

/**
 * Consumer groups of a stream lie behind its entries in column family 5. Their sub-keys (big-endian) start
 * with a delimiter that no entry's id has, then a kind:
 *
 *   group      | FF × 8 | 01 | name_len u64 | group |
 *   consumer   | FF × 8 | 02 | name_len u64 | group | name_len u64 | consumer |
 *   pending    | FF × 8 | 03 | name_len u64 | group | ms u64 | seq u64 |
 */
export type GroupSubKey =
  | { readonly kind: 'group'; readonly group: Buffer }
  | { readonly kind: 'consumer'; readonly group: Buffer; readonly consumer: Buffer }
  | { readonly kind: 'pending'; readonly group: Buffer; readonly id: StreamId };

export const groupDelimiter = Buffer.alloc(8, 0xff);
const groupKind = 1;
const consumerKind = 2;
const pendingKind = 3;
const groupNameAt = 17;

/** True for the sub-key of a group, consumer or pending entry; false for that of an entry. */
export const isGroupSubKey = (subKey: Buffer): boolean =>
  subKey.length > streamIdBytes && subKey.subarray(0, 8).equals(groupDelimiter);

/** Splits such a sub-key; undefined when the bytes are none. Borrows `subKey`. */
export const readGroupSubKey = (subKey: Buffer): GroupSubKey | undefined => {
  if (!isGroupSubKey(subKey) || subKey.length < groupNameAt) return undefined;
  const groupEnd = groupNameAt + readU64BigEndian(subKey, 9);
  if (!(groupEnd <= subKey.length)) return undefined;
  const group = subKey.subarray(groupNameAt, groupEnd);
  const rest = subKey.length - groupEnd;
  if (subKey[8] === groupKind && rest === 0) return { kind: 'group', group };
  if (subKey[8] === consumerKind && rest >= 8 && readU64BigEndian(subKey, groupEnd) === rest - 8)
    return { kind: 'consumer', group, consumer: subKey.subarray(groupEnd + 8) };
  if (subKey[8] === pendingKind && rest === streamIdBytes)
    return { kind: 'pending', group, id: readStreamId(subKey, groupEnd) };
  return undefined;
};

export const encodeGroupSubKey = (group: Uint8Array): Buffer => startOfSubKey(groupKind, group, 0);

/** What the sub-keys of all groups of a stream start with. */
export const allGroupsPrefix = Buffer.concat([groupDelimiter, Buffer.of(groupKind)]);

export const encodeConsumerSubKey = (group: Uint8Array, consumer: Uint8Array): Buffer => {
  const subKey = startOfSubKey(consumerKind, group, 8 + consumer.length);
  subKey.set(consumer, writeU64BigEndian(subKey, groupNameAt + group.length, consumer.length));
  return subKey;
};

/** What the sub-keys of all consumers of a group start with. */
export const consumersPrefix = (group: Uint8Array): Buffer => startOfSubKey(consumerKind, group, 0);

export const encodePendingSubKey = (group: Uint8Array, id: StreamId): Buffer => {
  const subKey = startOfSubKey(pendingKind, group, streamIdBytes);
  writeStreamId(subKey, groupNameAt + group.length, id);
  return subKey;
};

/** What the sub-keys of all pending entries of a group start with. */
export const pendingPrefix = (group: Uint8Array): Buffer => startOfSubKey(pendingKind, group, 0);

const startOfSubKey = (kind: number, group: Uint8Array, more: number): Buffer => {
  const subKey = Buffer.allocUnsafe(groupNameAt + group.length + more);
  subKey.set(groupDelimiter, 0);
  subKey[8] = kind;
  subKey.set(group, writeU64BigEndian(subKey, 9, group.length));
  return subKey;
};

/** A group's value: six 64-bit numbers. `entriesRead` is −1 when unknown. */
export interface GroupState {
  readonly consumerCount: number;
  readonly pendingCount: number;
  readonly lastDeliveredId: StreamId;
  readonly entriesRead: bigint;
  readonly lag: bigint;
}

/**
 *   0           8         16                  32             40
 *   | consumers | pending | last delivered id | entries read | lag |
 */
export const readGroupState = (value: Buffer): GroupState | undefined =>
  value.length < 48
    ? undefined
    : {
        consumerCount: readU64BigEndian(value, 0),
        pendingCount: readU64BigEndian(value, 8),
        lastDeliveredId: readStreamId(value, 16),
        entriesRead: value.readBigInt64BE(32),
        lag: value.readBigUInt64BE(40),
      };

export const encodeGroupState = (state: GroupState): Buffer => {
  const value = Buffer.allocUnsafe(48);
  writeU64BigEndian(value, 0, state.consumerCount);
  writeU64BigEndian(value, 8, state.pendingCount);
  writeStreamId(value, 16, state.lastDeliveredId);
  value.writeBigInt64BE(state.entriesRead, 32);
  value.writeBigUInt64BE(state.lag, 40);
  return value;
};

/** A consumer's value: three u64; times in ms since the epoch. */
export interface ConsumerState {
  readonly pendingCount: number;
  /** last attempt to read or claim */
  readonly lastSeenMs: number;
  /** last successful read or claim */
  readonly lastActiveMs: number;
}

export const readConsumerState = (value: Buffer): ConsumerState | undefined =>
  value.length < 24
    ? undefined
    : {
        pendingCount: readU64BigEndian(value, 0),
        lastSeenMs: readU64BigEndian(value, 8),
        lastActiveMs: readU64BigEndian(value, 16),
      };

export const encodeConsumerState = (state: ConsumerState): Buffer => {
  const value = Buffer.allocUnsafe(24);
  writeU64BigEndian(value, 0, state.pendingCount);
  writeU64BigEndian(value, 8, state.lastSeenMs);
  writeU64BigEndian(value, 16, state.lastActiveMs);
  return value;
};

/** A pending entry's value: delivered when, how often after the first time, to whom (u64, u64, name_len u64, name). */
export interface PendingState {
  readonly deliveredMs: number;
  /** How often it was delivered, the first time included. */
  readonly deliveryCount: number;
  readonly consumer: Buffer;
}

/** Undefined when the bytes are none. Borrows `value`. */
export const readPendingState = (value: Buffer): PendingState | undefined =>
  value.length < 24 || readU64BigEndian(value, 16) !== value.length - 24
    ? undefined
    : {
        deliveredMs: readU64BigEndian(value, 0),
        deliveryCount: readU64BigEndian(value, 8) + 1,
        consumer: value.subarray(24),
      };

export const encodePendingState = (state: PendingState): Buffer => {
  const value = Buffer.allocUnsafe(24 + state.consumer.length);
  writeU64BigEndian(value, 0, state.deliveredMs);
  writeU64BigEndian(value, 8, Math.max(0, state.deliveryCount - 1));
  value.set(state.consumer, writeU64BigEndian(value, 16, state.consumer.length));
  return value;
};
