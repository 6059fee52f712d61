import { prefixSuccessor } from '../../bytes/index.js';
import type { WriteBatchReader } from '../../write-batch/index.js';
import type { Change } from '../change.js';
import { ColumnFamily } from '../encoding/column-family.js';
import type { KeyLayout } from '../encoding/keys.js';
import type { ChangeCollector } from './change-collector.js';
import type { KeyMemory } from './key-memory.js';
import { type NamespaceNames, shownDefault } from './namespace-names.js';

/** What the decoder passes on for a DeleteRange. */
export interface RangeSurroundings {
  readonly layout: KeyLayout;
  readonly namespaces: NamespaceNames;
  readonly memory: KeyMemory;
  readonly out: ChangeCollector;
}

/**
 * Adds the changes that the current record of the reader, a DeleteRange, stands for.
 * @returns why it cannot be one that Kvrocks writes; undefined when all is well
 */
export const addRangeChanges = (
  reader: WriteBatchReader,
  surroundings: RangeSurroundings,
): string | undefined => {
  const { memory, out } = surroundings;
  switch (reader.columnFamily) {
    case ColumnFamily.pubsub: // frees the space of old messages
      return undefined;
    case ColumnFamily.propagate: {
      const [key, keyEnd] = [reader.key(), reader.value()];
      const place = { seq: reader.sequence + reader.index, index: out.next, ns: shownDefault };
      out.add({ ...place, key, keyEnd, op: 'propagate', type: 'script', value: undefined });
      return undefined;
    }
    case ColumnFamily.metadata: {
      const cleared = clearedBy(reader.key(), reader.value(), surroundings);
      if (cleared === undefined)
        return 'a range of keys is deleted that is neither a namespace, a slot nor all keys';
      memory.clear();
      out.add({ seq: reader.sequence + reader.index, index: out.next, ...cleared });
      return undefined;
    }
    default:
      return addElementsRange(reader, surroundings);
  }
};

/**
 * Deletes all elements of one key, whatever its version, before a key is written where another may have been. There is
 * one such record per column family that may hold elements; only the first becomes a change.
 */
const addElementsRange = (
  reader: WriteBatchReader,
  { layout, namespaces, memory, out }: RangeSurroundings,
): string | undefined => {
  const [begin, end] = [reader.key(), reader.value()];
  const keyStart = 1 + begin[0] + (layout.hasSlots ? 2 : 0) + 4;
  const isOneKey =
    begin.length >= keyStart &&
    begin.readUInt32BE(keyStart - 4) === begin.length - keyStart &&
    prefixSuccessor(begin)?.equals(end) === true;
  if (!isOneKey) return 'a range of sub-keys is deleted';
  if (reader.columnFamily !== ColumnFamily.subKeys) return undefined;
  memory.clear();
  const seq = reader.sequence + reader.index;
  const ns = namespaces.at(begin, 0);
  out.add({ seq, index: out.next, ns, key: begin.subarray(keyStart), op: 'delete', type: 'key' });
  return undefined;
};

/**
 * FLUSHDB deletes from a namespace's prefix to the prefix's successor, FLUSHALL from the first key of the
 * store to behind its last one; a slot that moved away is deleted by its prefix.
 */
const clearedBy = (
  begin: Buffer,
  end: Buffer,
  { layout, namespaces, memory }: RangeSurroundings,
): Pick<Extract<Change, { op: 'clear' }>, 'op' | 'type' | 'ns' | 'slot'> | undefined => {
  const prefixLength = begin.length === 0 ? 1 : 1 + begin[0];
  const isPrefixRange = prefixSuccessor(begin)?.equals(end) ?? false;
  if (isPrefixRange && begin.length === prefixLength)
    return { op: 'clear', type: 'namespace', ns: namespaces.at(begin, 0), slot: undefined };
  if (layout.hasSlots && begin.length === prefixLength + 2 && isSlotRange(begin, end, prefixLength)) {
    const slot = begin.readUInt16BE(prefixLength);
    return { op: 'clear', type: 'slot', ns: namespaces.at(begin, 0), slot };
  }
  for (const memoryKey of memory.existing()) {
    const key = Buffer.from(memoryKey, 'latin1');
    if (begin.compare(key) > 0 || end.compare(key) <= 0) return undefined;
  }
  return { op: 'clear', type: 'all', ns: '', slot: undefined };
};

const isSlotRange = (begin: Buffer, end: Buffer, slotAt: number): boolean => {
  const next = Buffer.from(begin);
  const slot = begin.readUInt16BE(slotAt);
  if (slot === 0xffff) return false;
  next.writeUInt16BE(slot + 1, slotAt);
  return next.equals(end);
};
