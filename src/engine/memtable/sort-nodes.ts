import type { NodeTable } from './node-table.js';
import { digitBits, SortRoom } from './sort-room.js';

/**
 * Sorts node ids by their keys, in place, in steps of less than a millisecond: by the eight bytes behind the prefix that
 * all have in common (a radix sort, which looks at each key itself only once), then those that are the same there by
 * what follows. Nodes that came in order, forwards or backwards, as the elements of a list do, are not sorted at all.
 * Hot: benches `engine-write`, `server`.
 *
 * @param shared how many first bytes all keys have in common, if that is known
 */
export function* sortNodes(nodes: NodeTable, ids: Int32Array, shared?: number): Generator<undefined, void> {
  if (!(yield* isInLine(nodes, ids))) yield* sortBehind(nodes, ids, 0, 0, shared);
}

/** The same at once: for few. */
export const sortNodesNow = (nodes: NodeTable, ids: Int32Array, shared?: number): void => {
  const sorting = sortNodes(nodes, ids, shared);
  while (!sorting.next().done);
};

/** Sorts the first nodes of a room, whose digests behind the first `shared` bytes are known, at once: for few. */
export const sortRoomNow = (nodes: NodeTable, room: SortRoom, into: Int32Array, shared: number): void => {
  const sorting = sortRoom(nodes, room, into, shared, 0);
  while (!sorting.next().done);
};

/** True when the keys ascend now: they did, or they descended and were turned round. */
function* isInLine(nodes: NodeTable, ids: Int32Array): Generator<undefined, boolean> {
  const { length } = ids;
  if (length < 2) return true;
  const descends = nodes.compareNodes(ids[0], ids[1]) > 0;
  for (let i = 2; i < length; i++) {
    if (nodes.compareNodes(ids[i - 1], ids[i]) > 0 !== descends) return false;
    if (i % keysAStep === 0) yield;
  }
  if (descends) ids.reverse();
  return true;
}

/** Sorts nodes whose keys are the same in the first `from` bytes, apart from those that end there. */
function* sortBehind(
  nodes: NodeTable,
  ids: Int32Array,
  from: number,
  depth: number,
  known?: number,
): Generator<undefined, void> {
  const { length } = ids;
  if (length <= fewNodes) {
    insertionSort(nodes, ids);
    return;
  }
  if (depth === maxDepth) {
    ids.sort((a, b) => nodes.compareNodes(a, b));
    return;
  }
  const shared = known ?? Math.max(from, yield* sharedByAll(nodes, ids));
  const room = new SortRoom(nodes.memory, length);
  room.ids.set(ids);
  for (let i = 0; i < length; i++) {
    room.high[i] = nodes.digest(ids[i], shared);
    room.low[i] = nodes.digest(ids[i], shared + digestBytes);
    if (i % keysAStep === keysAStep - 1) yield;
  }
  yield* sortRoom(nodes, room, ids, shared, depth);
  room.giveBack();
}

/** Sorts as many nodes as `into` takes, whose ids and digests behind the first `shared` bytes are in a room. */
function* sortRoom(
  nodes: NodeTable,
  room: SortRoom,
  into: Int32Array,
  shared: number,
  depth: number,
): Generator<undefined, void> {
  const { high, low } = room;
  const { length } = into;
  if (length <= fewNodes) {
    into.set(room.ids.subarray(0, length));
    insertionSort(nodes, into);
    return;
  }
  for (let i = 0; i < length; i++) room.order[i] = i;
  yield;
  const bits = digitBits(length);
  for (const words of [low, high]) {
    for (let shift = 0; shift < 32; shift += bits) yield* sortByDigit(room, words, length, shift, bits);
  }
  const { order } = room;
  for (let i = 0; i < length; i++) {
    into[i] = room.ids[order[i]];
    if (i % keysAStep === keysAStep - 1) yield;
  }
  for (let start = 0, seen = 0; start < length; ) {
    let end = start + 1;
    while (end < length && low[order[end]] === low[order[start]] && high[order[end]] === high[order[start]])
      end++;
    if (end - seen >= keysAStep) {
      seen = end;
      yield;
    }
    if (end - start > 1)
      yield* sortBehind(nodes, into.subarray(start, end), shared + 2 * digestBytes, depth + 1);
    start = end;
  }
}

/** One stable pass by some bits of signed words; nothing is done when they are the same in all. */
function* sortByDigit(
  room: SortRoom,
  words: Int32Array,
  length: number,
  shift: number,
  bits: number,
): Generator<undefined, void> {
  const digits = 1 << bits;
  const mask = digits - 1;
  // The top bit of a signed word is the other way round.
  const flip = shift + bits === 32 ? digits >>> 1 : 0;
  const { counters: places, order, spare } = room;
  places.fill(0, 0, digits);
  for (let i = 0; i < length; i++) {
    places[((words[i] >>> shift) & mask) ^ flip]++;
    if (i % quickKeysAStep === quickKeysAStep - 1) yield;
  }
  if (places[((words[0] >>> shift) & mask) ^ flip] === length) return;
  let place = 0;
  for (let digit = 0; digit < digits; digit++) {
    const count = places[digit];
    places[digit] = place;
    place += count;
  }
  for (let from = 0; from < length; from += keysAStep) {
    if (from > 0) yield;
    const to = Math.min(length, from + keysAStep);
    for (let i = from; i < to; i++) {
      const at = order[i];
      spare[places[((words[at] >>> shift) & mask) ^ flip]++] = at;
    }
  }
  room.swap();
}

/** How many first bytes all keys have in common. */
function* sharedByAll(nodes: NodeTable, ids: Int32Array): Generator<undefined, number> {
  let prefix = nodes.keyOf(ids[0]);
  for (let i = 1; i < ids.length && prefix.length > 0; i++) {
    const shared = nodes.sharedBytes(ids[i], prefix);
    if (shared < prefix.length) prefix = prefix.subarray(0, shared);
    if (i % keysAStep === 0) yield;
  }
  return prefix.length;
}

const insertionSort = (nodes: NodeTable, ids: Int32Array): void => {
  for (let i = 1; i < ids.length; i++) {
    const id = ids[i];
    let at = i;
    for (; at > 0 && nodes.compareNodes(id, ids[at - 1]) < 0; at--) ids[at] = ids[at - 1];
    ids[at] = id;
  }
};

/** How many bytes of a key a digest stands for. */
export const digestBytes = 4;
const fewNodes = 12;
/** Keys that are the same for so many digests, each behind another prefix, are made to be. */
const maxDepth = 16;
/** Each of them lies somewhere else in memory. */
const keysAStep = 1024;
/** Looked at one behind the other. */
const quickKeysAStep = 16 * 1024;
