import {
  type ListEnds,
  listPositionBytes,
  readListEnds,
  readListPosition,
} from '../encoding/list-encoding.js';
import { LogCommand } from '../encoding/log-data.js';
import type { ChangeCollector } from './change-collector.js';
import { ambiguous, type GroupFailure, unsupported } from './group-failure.js';
import type { KnownKey } from './key-memory.js';
import type { RecordGroup } from './record-group.js';

/**
 * Lists are told by position. The ends before and after the command say what was popped and pushed on which
 * side; every put between the ends is the replacement of one element. So LINSERT is a push at the nearer end
 * and the elements that moved, LREM and LTRIM are pops and the elements that moved: exact without knowing
 * what stood where.
 */
export const addListChanges = (
  group: RecordGroup,
  known: KnownKey | undefined,
  startsAnew: boolean,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const positions = new Map<number, number>(); // list position → record
  const deleted = new Set<number>();
  for (let at = 0; at < group.count; at++) {
    if (group.subKeys[at].length !== listPositionBytes)
      return unsupported('the record of a list element has no 8-byte position');
    const position = readListPosition(group.subKeys[at], 0);
    if (group.isPut[at]) {
      positions.set(position, at);
      deleted.delete(position);
    } else {
      positions.delete(position);
      deleted.add(position);
    }
  }
  const { metadata } = group;
  if (metadata === undefined) return addReplacedElements(group, known, positions, deleted, out);
  const ends = readListEnds(metadata.payload);
  if (ends === undefined) return unsupported("a list's metadata without its ends");
  if (group.count === 0) return undefined;
  const before = startsAnew
    ? { head: ends.head, tail: ends.head }
    : endsBefore(group, known, ends, positions, deleted);
  if (before === undefined)
    return ambiguous(
      'a list is changed in a way that the log alone does not tell, and its ends before are not known',
    );
  return addMovesOfEnds(group, before, ends, positions, out);
};

/** Elements replaced without a change of the ends: LSET, and LMOVE within a list of one or two. */
const addReplacedElements = (
  group: RecordGroup,
  known: KnownKey | undefined,
  positions: ReadonlyMap<number, number>,
  deleted: ReadonlySet<number>,
  out: ChangeCollector,
): GroupFailure | undefined => {
  if (deleted.size > 0) return ambiguous('elements of a list are deleted without its metadata');
  const hinted = group.command === LogCommand.lset ? Number(group.hint?.words[1]) : Number.NaN;
  for (const [position, at] of positions) {
    const listIndex =
      known !== undefined ? position - known.head : positions.size === 1 ? hinted : Number.NaN;
    if (!Number.isSafeInteger(listIndex))
      return ambiguous('an element of a list is replaced whose head is not known');
    if (known !== undefined && (position < known.head || position >= known.tail))
      return ambiguous('an element outside of the known ends of a list is replaced');
    addPut(group, at, listIndex, out);
  }
  return undefined;
};

/** The ends before the command; undefined when neither memory nor records nor hint tell. */
const endsBefore = (
  group: RecordGroup,
  known: KnownKey | undefined,
  after: ListEnds,
  positions: ReadonlyMap<number, number>,
  deleted: ReadonlySet<number>,
): ListEnds | undefined => {
  if (known !== undefined) return { head: known.head, tail: known.tail };
  let { head, tail } = after;
  for (const position of deleted) {
    if (position < after.head) head = Math.min(head, position);
    else tail = Math.max(tail, position + 1);
  }
  const pushesAtHead = positions.has(after.head);
  const pushesAtTail = positions.has(after.tail - 1);
  if (deleted.size > 0) {
    if (positions.size !== 1 || !isMoveWithinList(group)) return { head, tail };
    return pushesAtHead ? { head: after.head + 1, tail } : { head, tail: after.tail - 1 };
  }
  switch (group.command) {
    case LogCommand.lpush:
      return { head: head + positions.size, tail };
    case LogCommand.rpush:
      return { head, tail: tail - positions.size };
    case LogCommand.linsert:
      if (pushesAtHead === pushesAtTail) return undefined;
      return pushesAtHead ? { head: head + 1, tail } : { head, tail: tail - 1 };
    case LogCommand.lmove:
      if (positions.size !== 1 || pushesAtHead === pushesAtTail) return undefined;
      if (isMoveWithinList(group))
        return pushesAtHead ? { head: head + 1, tail: tail + 1 } : { head: head - 1, tail: tail - 1 };
      return pushesAtHead ? { head: head + 1, tail } : { head, tail: tail - 1 };
    default:
      return undefined;
  }
};

/** LMOVE from a list to itself logs `3 12 key key side side`; keys may hold spaces, so that the whole is compared. */
const isMoveWithinList = (group: RecordGroup): boolean => {
  const note = group.note?.toString('latin1');
  const key = group.key.toString('latin1');
  return sides.some((side) => note === `3 ${LogCommand.lmove} ${key} ${key} ${side}`);
};

const sides = ['left right', 'right left', 'left left', 'right right'];

const addMovesOfEnds = (
  group: RecordGroup,
  before: ListEnds,
  after: ListEnds,
  positions: ReadonlyMap<number, number>,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const { ns, key, firstSeq: seq } = group;
  // What lies in both: elements left of it went or came at the head, right of it at the tail.
  const keptHead = Math.min(Math.max(before.head, after.head), after.tail);
  const keptTail = Math.max(Math.min(before.tail, after.tail), keptHead);
  const popsAtHead = Math.max(0, Math.min(after.head, before.tail) - before.head);
  const popsAtTail = Math.max(0, before.tail - Math.max(after.tail, before.head + popsAtHead));
  if (popsAtHead > 0)
    out.add({ seq, index: out.next, ns, key, op: 'pop', type: 'list', side: 'head', count: popsAtHead });
  if (popsAtTail > 0)
    out.add({ seq, index: out.next, ns, key, op: 'pop', type: 'list', side: 'tail', count: popsAtTail });
  for (let position = keptHead - 1; position >= after.head; position--) {
    const at = positions.get(position);
    if (at === undefined) return pushNotLogged();
    addPush(group, at, 'head', out);
  }
  for (let position = keptTail; position < after.tail; position++) {
    const at = positions.get(position);
    if (at === undefined) return pushNotLogged();
    addPush(group, at, 'tail', out);
  }
  for (const [position, at] of positions)
    if (position >= keptHead && position < keptTail) addPut(group, at, position - after.head, out);
  return undefined;
};

const pushNotLogged = (): GroupFailure => ambiguous('an element that was pushed on a list is not in the log');

// Both are written out: to spread the fields that they share takes eighty times as long.
const addPush = (group: RecordGroup, at: number, side: 'head' | 'tail', out: ChangeCollector): void => {
  const { ns, key } = group;
  out.add({
    seq: group.seqs[at],
    index: out.next,
    ns,
    key,
    value: group.values[at],
    op: 'push',
    type: 'list',
    side,
  });
};

const addPut = (group: RecordGroup, at: number, listIndex: number, out: ChangeCollector): void => {
  const { ns, key } = group;
  out.add({
    seq: group.seqs[at],
    index: out.next,
    ns,
    key,
    value: group.values[at],
    op: 'put',
    type: 'list',
    listIndex,
  });
};
