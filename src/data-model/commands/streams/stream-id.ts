import { largestStreamId, type StreamId } from '../../encoding/stream-encoding.js';
import { ErrorReply } from '../reply.js';

export const invalidId = new ErrorReply('ERR Invalid stream ID specified as stream command argument');

const maxU64 = 0xffff_ffff_ffff_ffffn;

/** `ms-seq`, or `ms` alone with `missingSeq` for its second half; undefined when it is none. */
export const parseStreamId = (bytes: Uint8Array, missingSeq: bigint): StreamId | undefined => {
  if (bytes.length > 41) return undefined;
  const match = /^(\d{1,20})(?:-(\d{1,20}))?$/.exec(Buffer.from(bytes).toString('latin1'));
  if (match === null) return undefined;
  const ms = BigInt(match[1]);
  const seq = match[2] === undefined ? missingSeq : BigInt(match[2]);
  return ms <= maxU64 && seq <= maxU64 ? { ms, seq } : undefined;
};

/** The lower or upper end of a range: `-`, `+`, an id, or `(id` for the ids behind or before it. */
export const parseRangeEnd = (bytes: Buffer, isStart: boolean): StreamId | ErrorReply => {
  const text = bytes.toString('latin1');
  if (text === '-') return { ms: 0n, seq: 0n };
  if (text === '+') return largestStreamId;
  const isExclusive = text.startsWith('(');
  const id = parseStreamId(isExclusive ? bytes.subarray(1) : bytes, isStart ? 0n : maxU64);
  if (id === undefined) return invalidId;
  if (!isExclusive) return id;
  const neighbour = isStart ? nextStreamId(id) : previousStreamId(id);
  return neighbour ?? new ErrorReply(`ERR invalid ${isStart ? 'start' : 'end'} ID for the interval`);
};

/** The smallest id above; undefined above the largest. */
export const nextStreamId = ({ ms, seq }: StreamId): StreamId | undefined =>
  seq < maxU64 ? { ms, seq: seq + 1n } : ms < maxU64 ? { ms: ms + 1n, seq: 0n } : undefined;

/** The largest id below; undefined below 0-0. */
export const previousStreamId = ({ ms, seq }: StreamId): StreamId | undefined =>
  seq > 0n ? { ms, seq: seq - 1n } : ms > 0n ? { ms: ms - 1n, seq: maxU64 } : undefined;

/** What XADD is to use as the new entry's id. */
export type WantedId =
  | { readonly kind: 'auto' }
  | { readonly kind: 'autoSeq'; readonly ms: bigint }
  | { readonly kind: 'given'; readonly id: StreamId };

/** `*`, `ms-*`, `ms`, `ms-seq` */
export const parseWantedId = (bytes: Buffer): WantedId | ErrorReply => {
  const text = bytes.toString('latin1');
  if (text === '*') return { kind: 'auto' };
  if (text.endsWith('-*')) {
    const id = parseStreamId(bytes.subarray(0, -2), 0n);
    return id === undefined || id.ms === maxU64 ? invalidId : { kind: 'autoSeq', ms: id.ms };
  }
  const id = parseStreamId(bytes, 0n);
  // Entries of the last millisecond would lie among the groups' records.
  return id === undefined || id.ms === maxU64 ? invalidId : { kind: 'given', id };
};

/** The id that a new entry gets; a refusal when the wanted one is not above the last. */
export const chooseId = (wanted: WantedId, last: StreamId, nowMs: number): StreamId | ErrorReply => {
  const isAbove = (id: StreamId): boolean => id.ms > last.ms || (id.ms === last.ms && id.seq > last.seq);
  if (wanted.kind === 'auto') {
    const now = { ms: BigInt(nowMs), seq: 0n };
    const next = isAbove(now) ? now : nextStreamId(last);
    return next ?? notAbove;
  }
  if (wanted.kind === 'given') return isAbove(wanted.id) ? wanted.id : notAbove;
  if (wanted.ms < last.ms) return notAbove;
  if (wanted.ms > last.ms) return { ms: wanted.ms, seq: wanted.ms === 0n ? 1n : 0n };
  return last.seq < maxU64 ? { ms: wanted.ms, seq: last.seq + 1n } : notAbove;
};

const notAbove = new ErrorReply(
  'ERR The ID specified in XADD is equal or smaller than the target stream top item',
);
