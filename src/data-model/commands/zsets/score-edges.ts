import { prefixSuccessor } from '../../../bytes/index.js';
import type { DataIterator, DataRange } from '../../../engine/index.js';
import { encodeScoreKey } from '../../encoding/zset-encoding.js';
import type { CommandContext } from '../command-context.js';
import { KnownKey } from '../known-keys.js';
import type { ZsetValue } from './zset-value.js';

/*
 * Where the places of a hot sorted set begin and end. What is popped leaves its delete in the memtable, and a walk from
 * the end of a queue would step over all of them, each time.
 *
 * Invariant: all places in the store lie from `placesBegin` up to, not including, `placesEnd`. Walks find the edges, in
 * what is committed; whoever puts a place outside moves them before, and it does no harm if that is never committed.
 */

/** Walks the places in a range, without what is known to be empty. Hot: ZPOPMIN, ZRANGEBYSCORE of a queue. */
export const iteratePlaces = (context: CommandContext, zset: ZsetValue, range: DataRange): DataIterator => {
  const known = zset.metadata;
  const { begin = zset.prefix, end } = range;
  if (!(known instanceof KnownKey) || end === undefined || context.batch.count > 0)
    return context.reader.iterate(range);
  known.placesBegin ??= encodeScoreKey(zset.prefix, Number.NEGATIVE_INFINITY, noBytes);
  known.placesEnd ??= prefixSuccessor(encodeScoreKey(zset.prefix, Number.POSITIVE_INFINITY, noBytes));
  const { placesBegin, placesEnd = end } = known;
  const isFromBegin = Buffer.compare(begin, placesBegin) <= 0;
  const isFromEnd = Buffer.compare(end, placesEnd) >= 0;
  const from = isFromBegin ? placesBegin : begin;
  const to = isFromEnd ? placesEnd : end;
  const iterator = context.reader.iterate({ ...range, begin: from, end: to });
  if (Buffer.compare(from, to) >= 0) return iterator;
  const key = iterator.valid ? iterator.item.key : undefined;
  if (key !== undefined && key.length > longestPlaceBytes) return iterator;
  if (range.isReverse === true) {
    if (isFromEnd) known.placesEnd = key === undefined ? Buffer.from(from) : behind(key);
  } else if (isFromBegin) known.placesBegin = Buffer.from(key ?? to);
  return iterator;
};

/** A place is about to be put. */
export const widenEdges = (zset: ZsetValue, place: Buffer): void => {
  const known = zset.metadata;
  if (!(known instanceof KnownKey)) return;
  const { placesBegin, placesEnd } = known;
  const isLong = place.length > longestPlaceBytes;
  if (placesBegin !== undefined && Buffer.compare(place, placesBegin) < 0)
    known.placesBegin = isLong ? undefined : Buffer.from(place);
  if (placesEnd !== undefined && Buffer.compare(place, placesEnd) >= 0)
    known.placesEnd = isLong ? undefined : behind(place);
};

/** The first key that is above. */
const behind = (key: Buffer): Buffer => Buffer.concat([key, zeroByte]);

const longestPlaceBytes = 1024;
const zeroByte = Buffer.of(0);
const noBytes = Buffer.alloc(0);
