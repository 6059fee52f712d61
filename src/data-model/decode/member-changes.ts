import { ColumnFamily } from '../encoding/column-family.js';
import {
  type FieldLayout,
  fieldExpiryBytes,
  fieldLayoutOf,
  fieldLayoutOfMode,
  readFieldExpiry,
} from '../encoding/hash-encoding.js';
import { LogCommand } from '../encoding/log-data.js';
import { readScore } from '../encoding/zset-encoding.js';
import type { ChangeCollector } from './change-collector.js';
import { type GroupFailure, unsupported } from './group-failure.js';
import type { KnownKey } from './key-memory.js';
import type { RecordGroup } from './record-group.js';

/** Hashes: sub-key = field. Hot; measured by bench `decode`. */
export const addHashChanges = (
  group: RecordGroup,
  known: KnownKey | undefined,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const { ns, key, count, isPut, seqs, subKeys, values } = group;
  const layout = fieldLayoutIn(group, known);
  if (layout !== 'plain') return addExpiringHashChanges(group, layout, out);
  for (let at = 0; at < count; at++) {
    const index = out.next;
    const field = subKeys[at];
    if (isPut[at])
      out.add({ seq: seqs[at], index, ns, key, op: 'put', type: 'hash', field, value: values[at] });
    else out.add({ seq: seqs[at], index, ns, key, op: 'delete', type: 'hash', field });
  }
  return undefined;
};

/** How the fields are stored: the metadata tells, else the LogData, else memory. */
const fieldLayoutIn = (group: RecordGroup, known: KnownKey | undefined): FieldLayout => {
  const { metadata, note } = group;
  if (metadata !== undefined) return fieldLayoutOf(metadata.payload);
  // Most notes are the type's number alone, and say nothing.
  if (note !== undefined && note.length > 2 && group.command === LogCommand.hashFields)
    return fieldLayoutOfMode(group.hint?.words[1]);
  return known?.fields ?? 'plain';
};

/** Hashes whose fields may expire each by itself. Those that never do are told, for the others there is no change. */
const addExpiringHashChanges = (
  group: RecordGroup,
  layout: FieldLayout,
  out: ChangeCollector,
): GroupFailure | undefined => {
  if (layout === 'unknown') return unsupported('a hash whose fields are stored in a way that is not known');
  const { ns, key, count, isPut, seqs, subKeys, values } = group;
  for (let at = 0; at < count; at++) {
    const [seq, index, field] = [seqs[at], out.next, subKeys[at]];
    if (!isPut[at]) {
      out.add({ seq, index, ns, key, op: 'delete', type: 'hash', field });
      continue;
    }
    const expireMs = readFieldExpiry(values[at]);
    if (Number.isNaN(expireMs))
      return unsupported('the field of an expiring hash has no expiry before its value');
    if (expireMs !== 0) return unsupported('a field of a hash expires by itself, apart from its key');
    out.add({
      seq,
      index,
      ns,
      key,
      op: 'put',
      type: 'hash',
      field,
      value: values[at].subarray(fieldExpiryBytes),
    });
  }
  return undefined;
};

/** Sets: sub-key = member, value empty. */
export const addSetChanges = (group: RecordGroup, out: ChangeCollector): GroupFailure | undefined => {
  const { ns, key, count, isPut, seqs, subKeys, values } = group;
  for (let at = 0; at < count; at++) {
    if (values[at].length > 0) return unsupported('the record of a set member has a value');
    const index = out.next;
    const member = subKeys[at];
    if (isPut[at]) out.add({ seq: seqs[at], index, ns, key, op: 'put', type: 'set', member });
    else out.add({ seq: seqs[at], index, ns, key, op: 'delete', type: 'set', member });
  }
  return undefined;
};

/** Sorted sets: the records by member tell everything; those by score repeat it. */
export const addSortedSetChanges = (group: RecordGroup, out: ChangeCollector): GroupFailure | undefined => {
  const { ns, key, count, isPut, families, seqs, subKeys, values } = group;
  let told = 0;
  for (let at = 0; at < count; at++) {
    if (families[at] === ColumnFamily.scores) continue;
    told++;
    const index = out.next;
    const member = subKeys[at];
    if (isPut[at]) {
      const score = readScore(values[at]);
      if (score === undefined || Number.isNaN(score))
        return unsupported('the record of a sorted set member has no score');
      out.add({ seq: seqs[at], index, ns, key, op: 'put', type: 'zset', member, score });
    } else out.add({ seq: seqs[at], index, ns, key, op: 'delete', type: 'zset', member });
  }
  return told === 0 && count > 0
    ? unsupported('only the index of scores changes, not the members')
    : undefined;
};

/** Sorted ints: sub-key = id, u64 big-endian. */
export const addSortedIntChanges = (group: RecordGroup, out: ChangeCollector): GroupFailure | undefined => {
  const { ns, key, count, isPut, seqs, subKeys } = group;
  for (let at = 0; at < count; at++) {
    if (subKeys[at].length !== 8) return unsupported('the record of a sorted int has no 8-byte id');
    const id = subKeys[at].readBigUInt64BE(0);
    const index = out.next;
    if (isPut[at]) out.add({ seq: seqs[at], index, ns, key, op: 'put', type: 'sortedint', id });
    else out.add({ seq: seqs[at], index, ns, key, op: 'delete', type: 'sortedint', id });
  }
  return undefined;
};
