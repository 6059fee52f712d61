import {
  compareStreamIds,
  readStreamFields,
  readStreamId,
  readStreamState,
  type StreamId,
  type StreamState,
  smallestStreamId,
  streamIdBytes,
  streamIdText,
} from '../encoding/stream-encoding.js';
import {
  type GroupSubKey,
  isGroupSubKey,
  readGroupState,
  readGroupSubKey,
  readPendingState,
} from '../encoding/stream-group-encoding.js';
import { type StreamStateText, streamBeginCommands, streamStateCommands } from '../stream-state-commands.js';
import type { ChangeCollector } from './change-collector.js';
import { type GroupFailure, unsupported } from './group-failure.js';
import type { KnownKey } from './key-memory.js';
import type { RecordGroup } from './record-group.js';

type Command = readonly (string | Uint8Array)[];

/**
 * Streams: entries are put and deleted by id; groups, consumers and pending entries become the commands that
 * set them. The order is: entries in the order of the log, the stream's last id where it is not the newest
 * entry's, then groups, whose pending entries need the entries.
 */
export const addStreamChanges = (
  group: RecordGroup,
  known: KnownKey | undefined,
  startsAnew: boolean,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const state = group.metadata === undefined ? undefined : readStreamState(group.metadata.payload);
  if (group.metadata !== undefined && state === undefined)
    return unsupported("a stream's metadata without its state");
  const isTold = state !== undefined && !group.isExpire;
  if (isTold) addBegin(group, state, startsAnew, out);
  const failure = addEntries(group, out);
  if (failure !== undefined) return failure;
  if (isTold) addLastId(group, state, known, startsAnew, out);
  return addGroups(group, isTold && startsAnew, out);
};

const addBegin = (
  group: RecordGroup,
  state: StreamState,
  startsAnew: boolean,
  out: ChangeCollector,
): void => {
  const puts = entryPuts(group).length;
  // Kvrocks' XSETID makes the stream where there is none, Redis' does not. Other metadata alone is a snapshot's of a stream
  // without entries, whatever size a Kvrocks has counted, or an XADD that trimmed its own entry.
  const mayBeNew = startsAnew || (setsLastId(group) ? group.metadata?.size === 0 : group.count === 0);
  if (!mayBeNew) return;
  for (const command of streamBeginCommands(group.key, textOf(state), puts === 0))
    addCommand(group, group.metadataSeq, out, command);
};

/** True when entries and groups are all that the stream holds. */
export const holdsWholeStream = (group: RecordGroup): boolean => {
  const { metadata } = group;
  if (metadata === undefined || !group.hasOnlyPuts) return false;
  if (group.isMetadataFirst && group.count > 0) return true;
  const state = readStreamState(metadata.payload);
  if (state === undefined || setsLastId(group)) return false;
  let entries = 0;
  let groups = 0;
  for (let at = 0; at < group.count; at++) {
    const subKey = group.subKeys[at];
    if (!isGroupSubKey(subKey)) entries++;
    else if (readGroupSubKey(subKey)?.kind === 'group') groups++;
  }
  return entries === metadata.size && BigInt(groups) === state.groupCount;
};

const setsLastId = (group: RecordGroup): boolean => group.hint?.words[0] === 'XSETID';

const addEntries = (group: RecordGroup, out: ChangeCollector): GroupFailure | undefined => {
  const { ns, key } = group;
  for (let at = 0; at < group.count; at++) {
    const subKey = group.subKeys[at];
    if (isGroupSubKey(subKey)) continue;
    if (subKey.length !== streamIdBytes) return unsupported('the record of a stream entry has no id');
    const id = streamIdText(readStreamId(subKey, 0));
    const seq = group.seqs[at];
    if (!group.isPut[at]) {
      out.add({ seq, index: out.next, ns, key, op: 'delete', type: 'stream', id });
      continue;
    }
    const fields = readStreamFields(group.values[at]);
    if (fields === undefined || fields.length === 0 || fields.length % 2 !== 0)
      return unsupported('the record of a stream entry has no fields and values');
    out.add({ seq, index: out.next, ns, key, op: 'put', type: 'stream', id, fields });
  }
  return undefined;
};

/** Redis takes the last id from the newest entry; what differs from that must be set. */
const addLastId = (
  group: RecordGroup,
  state: StreamState,
  known: KnownKey | undefined,
  startsAnew: boolean,
  out: ChangeCollector,
): void => {
  let newest: StreamId | undefined = startsAnew ? smallestStreamId : known?.lastId;
  const puts = entryPuts(group);
  for (const id of puts) if (newest === undefined || compareStreamIds(id, newest) > 0) newest = id;
  const isAsAdded = newest !== undefined && compareStreamIds(newest, state.lastGeneratedId) === 0;
  const isRewritten = startsAnew && state.entriesAdded !== BigInt(puts.length);
  const isEmptyAnew = startsAnew && puts.length === 0;
  if (isAsAdded && !isRewritten && !setsLastId(group) && !isEmptyAnew) return;
  for (const command of streamStateCommands(group.key, textOf(state)))
    addCommand(group, group.metadataSeq, out, command);
};

/** The ids of the entries that are put; of a record that has none `addEntries` tells. */
const entryPuts = (group: RecordGroup): StreamId[] => {
  const ids: StreamId[] = [];
  for (let at = 0; at < group.count; at++) {
    const subKey = group.subKeys[at];
    if (subKey.length === streamIdBytes && group.isPut[at]) ids.push(readStreamId(subKey, 0));
  }
  return ids;
};

const textOf = ({ lastGeneratedId, entriesAdded, maxDeletedId }: StreamState): StreamStateText => ({
  lastId: streamIdText(lastGeneratedId),
  entriesAdded: String(entriesAdded),
  maxDeletedId: streamIdText(maxDeletedId),
});

const addGroups = (
  group: RecordGroup,
  startsAnew: boolean,
  out: ChangeCollector,
): GroupFailure | undefined => {
  const { put, deleted } = groupsNamed(group);
  for (let at = 0; at < group.count; at++) {
    const subKey = group.subKeys[at];
    if (!isGroupSubKey(subKey)) continue;
    const name = readGroupSubKey(subKey);
    if (name === undefined) return unsupported('the record of a stream’s group has no known form');
    if (name.kind !== 'group') {
      const groupName = name.group.toString('latin1');
      // With a group go its consumers and pending entries, whose records are deleted as well.
      if (deleted.has(groupName)) continue;
      // An XTRIM of Kvrocks may take the record of a group for an entry and delete it, and later what belonged to the group.
      // There is no such group at the target any more; XGROUP DELCONSUMER writes the record of its group too.
      const isDelete = name.kind === 'consumer' && !group.isPut[at];
      if ((startsAnew || isDelete) && !put.has(groupName)) continue;
    }
    const command = commandOf(group, at, name);
    if (command === undefined)
      return unsupported(
        `the record of ${name.kind === 'group' ? 'a stream’s group' : 'a pending entry'} has no state`,
      );
    addCommand(group, group.seqs[at], out, command);
  }
  return undefined;
};

/** The command that does what a record does; undefined for a value without a state. */
const commandOf = (group: RecordGroup, at: number, name: GroupSubKey): Command | undefined => {
  const { key } = group;
  const isPut = group.isPut[at];
  switch (name.kind) {
    case 'group':
      return isPut ? groupCommand(group, at, name.group) : ['XGROUP', 'DESTROY', key, name.group];
    case 'consumer':
      return ['XGROUP', isPut ? 'CREATECONSUMER' : 'DELCONSUMER', key, name.group, name.consumer];
    case 'pending':
      return isPut
        ? claimCommand(key, name, group.values[at])
        : ['XACK', key, name.group, streamIdText(name.id)];
  }
};

const groupCommand = (group: RecordGroup, at: number, name: Buffer): Command | undefined => {
  const state = readGroupState(group.values[at]);
  if (state === undefined) return undefined;
  // A command that creates a group counts it in the metadata; one that moves it does not write metadata.
  const isNew = group.metadata !== undefined;
  return [
    ...['XGROUP', isNew ? 'CREATE' : 'SETID', group.key, name],
    ...[streamIdText(state.lastDeliveredId), ...(isNew ? ['MKSTREAM'] : [])],
    ...['ENTRIESREAD', String(state.entriesRead)],
  ];
};

const claimCommand = (
  key: Uint8Array,
  { group, id }: Extract<GroupSubKey, { kind: 'pending' }>,
  value: Buffer,
): Command | undefined => {
  const state = readPendingState(value);
  if (state === undefined) return undefined;
  return [
    ...['XCLAIM', key, group, state.consumer, '0', streamIdText(id)],
    ...['TIME', String(state.deliveredMs), 'RETRYCOUNT', String(state.deliveryCount), 'FORCE', 'JUSTID'],
  ];
};

/** The groups whose own records are put and deleted. */
const groupsNamed = (group: RecordGroup): Record<'put' | 'deleted', ReadonlySet<string>> => {
  const put = new Set<string>();
  const deleted = new Set<string>();
  for (let at = 0; at < group.count; at++) {
    const name = readGroupSubKey(group.subKeys[at]);
    if (name?.kind === 'group') (group.isPut[at] ? put : deleted).add(name.group.toString('latin1'));
  }
  return { put, deleted };
};

const addCommand = (group: RecordGroup, seq: number, out: ChangeCollector, command: Command): void => {
  const { ns, key } = group;
  out.add({ seq, index: out.next, ns, key, op: 'streamMeta', type: 'stream', command });
};
