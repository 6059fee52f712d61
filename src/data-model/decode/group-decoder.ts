import type { ValueType } from '../change.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { fieldLayoutOf } from '../encoding/hash-encoding.js';
import { readListEnds } from '../encoding/list-encoding.js';
import type { Metadata } from '../encoding/metadata.js';
import { readStreamState } from '../encoding/stream-encoding.js';
import { mayBeEmpty } from '../encoding/type-number.js';
import { addBitmapChanges, holdsWholeBitmap } from './bitmap-changes.js';
import type { ChangeCollector } from './change-collector.js';
import { ambiguous, type GroupFailure, unsupported } from './group-failure.js';
import { addHyperLogLogChanges } from './hyperloglog-changes.js';
import { absentKey, type KeyMemory, type KnownKey } from './key-memory.js';
import { addListChanges } from './list-changes.js';
import { addHashChanges, addSetChanges, addSortedIntChanges, addSortedSetChanges } from './member-changes.js';
import type { RecordGroup } from './record-group.js';
import { addStreamChanges, holdsWholeStream } from './stream-changes.js';

/**
 * Adds the changes that one command made to one key, and remembers what the key is from now on. A group yields all of
 * its changes or, if any of them cannot be told, none.
 */
export const decodeGroup = (group: RecordGroup, memory: KeyMemory, out: ChangeCollector): void => {
  const { metadata } = group;
  const known = memory.get(group.memoryKey);
  const before = out.next;
  const failure =
    metadata === undefined
      ? addSubKeysAlone(group, known, out)
      : addWithMetadata(group, metadata, known, out);
  if (metadata !== undefined) memory.set(group.memoryKey, rememberedOf(group, metadata, known));
  if (failure === undefined) return;
  out.takeBack(before);
  out.fail(failure.code, failure.reason, group.firstSeq, group.ns, group.key);
};

/** Sub-keys without the metadata entry: the size did not change, the key is the one that was. */
const addSubKeysAlone = (
  group: RecordGroup,
  known: KnownKey | undefined,
  out: ChangeCollector,
): GroupFailure | undefined => {
  if (known !== undefined && !isIncarnation(group, known))
    return ambiguous('sub-keys are written of an incarnation that is not the current one');
  const type = known?.type ?? group.hint?.type ?? typeByShape(group);
  if (type === undefined) return ambiguous('sub-keys are written of a key whose type is not known');
  return addByType(group, type, known, false, out);
};

const addWithMetadata = (
  group: RecordGroup,
  metadata: Metadata,
  known: KnownKey | undefined,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const { type, size, expireMs } = metadata;
  const { ns, key } = group;
  if (size === 0 && !mayBeEmpty(type)) {
    if (known?.type !== undefined || known === undefined)
      out.add({ seq: group.metadataSeq, index: out.next, ns, key, op: 'delete', type: 'key' });
    return undefined;
  }
  const isSame = known !== undefined && known.type === type && isIncarnation(group, known);
  const isWhole = holdsWholeKey(group, type);
  // A COPY may bring the version that was there already; any other command on the same version continues it.
  const startsAnew = isSame ? isWhole && group.isMetadataFirst : isWhole || known !== undefined;
  if (startsAnew && !isWhole && isCounted(type))
    return ambiguous('a key starts anew, but not all of its content is in the log');
  if (startsAnew && known !== absentKey)
    out.add({ seq: group.firstSeq, index: out.next, ns, key, op: 'delete', type: 'key' });
  const failure = addByType(group, type, isSame && !startsAnew ? known : undefined, startsAnew, out);
  if (failure !== undefined) return failure;
  const knownExpireMs = startsAnew ? 0 : isSame ? known.expireMs : undefined;
  const isToldAlone = knownExpireMs === undefined && (expireMs > 0 || group.isExpire);
  if (!isToldAlone && (knownExpireMs === undefined || knownExpireMs === expireMs)) return undefined;
  const seq = group.metadataSeq;
  const index = out.next;
  if (expireMs > 0) out.add({ seq, index, ns, key, op: 'expire', type, ttlAt: expireMs, value: undefined });
  else out.add({ seq, index, ns, key, op: 'persist', type, value: undefined });
  return undefined;
};

const addByType = (
  group: RecordGroup,
  type: ValueType,
  known: KnownKey | undefined,
  startsAnew: boolean,
  out: ChangeCollector,
): GroupFailure | undefined => {
  switch (type) {
    case 'hash':
      return addHashChanges(group, known, out);
    case 'set':
      return addSetChanges(group, out);
    case 'zset':
      return addSortedSetChanges(group, out);
    case 'sortedint':
      return addSortedIntChanges(group, out);
    case 'list':
      return addListChanges(group, known, startsAnew, out);
    case 'bitmap':
      return addBitmapChanges(group, known, out);
    case 'stream':
      return addStreamChanges(group, known, startsAnew, out);
    case 'hyperloglog':
      return addHyperLogLogChanges(group, out);
    case 'bloom':
      return unlessExpiry(
        group,
        'Bloom filters have no counterpart: their bits depend on Kvrocks’ own layout',
      );
    case 'tdigest':
      return unlessExpiry(
        group,
        't-digests have no counterpart: their centroids depend on how they were merged',
      );
    case 'timeseries':
      return unlessExpiry(group, 'time series have no counterpart');
    case 'string':
    case 'json':
      return unsupported(`sub-keys of a ${type}, which has none`);
  }
};

/** The changes of this type have no counterpart, except those of its expiry. */
const unlessExpiry = (group: RecordGroup, reason: string): GroupFailure | undefined =>
  group.count === 0 && group.isExpire ? undefined : unsupported(reason);

const isIncarnation = (group: RecordGroup, known: KnownKey): boolean =>
  known.type !== undefined &&
  known.versionHigh === group.versionHigh &&
  known.versionLow === group.versionLow;

/** Types whose `size` counts sub-keys. */
const isCounted = (type: ValueType): boolean =>
  type === 'hash' || type === 'set' || type === 'zset' || type === 'list' || type === 'sortedint';

/** True when the group's puts are all that the key holds: whatever was there before is gone. */
const holdsWholeKey = (group: RecordGroup, type: ValueType): boolean => {
  if (group.isExpire) return false;
  if (isCounted(type)) return group.isComplete;
  if (type === 'bitmap') return holdsWholeBitmap(group);
  if (type === 'stream') return holdsWholeStream(group);
  // Segments without registers are not written: metadata alone is an empty one, or an expiry.
  return type === 'hyperloglog' && group.isMetadataFirst;
};

/** Where there is no LogData: only sorted sets write the index of scores, only streams their own family. */
const typeByShape = (group: RecordGroup): ValueType | undefined => {
  for (let at = 0; at < group.count; at++) {
    if (group.families[at] === ColumnFamily.scores) return 'zset';
    if (group.families[at] === ColumnFamily.streams) return 'stream';
  }
  return undefined;
};

const rememberedOf = (group: RecordGroup, metadata: Metadata, known: KnownKey | undefined): KnownKey => {
  const { type, size, expireMs, payload } = metadata;
  if (size === 0 && !mayBeEmpty(type)) return absentKey;
  const ends = type === 'list' ? readListEnds(payload) : undefined;
  return {
    type,
    versionHigh: group.versionHigh,
    versionLow: group.versionLow,
    size,
    expireMs,
    head: ends?.head ?? 0,
    tail: ends?.tail ?? 0,
    lastId: type === 'stream' ? (readStreamState(payload)?.lastGeneratedId ?? known?.lastId) : undefined,
    fields: type === 'hash' ? fieldLayoutOf(payload) : 'plain',
  };
};
