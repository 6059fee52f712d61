import { ColumnFamily } from '../encoding/column-family.js';
import { readScore } from '../encoding/zset-encoding.js';
import type { ChangeCollector } from './change-collector.js';
import { type GroupFailure, unsupported } from './group-failure.js';
import type { RecordGroup } from './record-group.js';

/** Hashes: sub-key = field. Hot; measured by bench `decode`. */
export const addHashChanges = (group: RecordGroup, out: ChangeCollector): GroupFailure | undefined => {
  const { ns, key, count, isPut, seqs, subKeys, values } = group;
  for (let at = 0; at < count; at++) {
    const index = out.next;
    const field = subKeys[at];
    if (isPut[at])
      out.add({ seq: seqs[at], index, ns, key, op: 'put', type: 'hash', field, value: values[at] });
    else out.add({ seq: seqs[at], index, ns, key, op: 'delete', type: 'hash', field });
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
