import { type Change, streamBeginCommands, streamStateCommands } from '../../data-model/index.js';
import { type Reply, ReplyError } from '../../resp/index.js';
import { tooLarge } from '../record-part.js';
import {
  buffersOf,
  type Command,
  failed,
  type KeyFacts,
  largestCount,
  type ReadLimits,
  type ValueReading,
} from './reading.js';

/**
 * A stream: its entries by id, then its last id and counters, then its groups with their consumers and pending entries, as
 * the commands that set them.
 */
export function* readStream(facts: KeyFacts, limits: ReadLimits): ValueReading {
  const { seq, index, ns, key } = facts;
  const changes = yield* readEntries(facts, limits);
  if (!Array.isArray(changes)) return changes;
  const [whole, groups] = yield [
    ['XINFO', 'STREAM', key],
    ['XINFO', 'GROUPS', key],
  ];
  // A Kvrocks that has lost count of a stream's entries finds no such key, unless it is not to show the first and the last.
  const [stream] =
    whole instanceof ReplyError ? yield [['XINFO', 'STREAM', key, 'FULL', 'COUNT', 1]] : [whole];
  if (stream instanceof ReplyError) return failed(stream);
  if (!Array.isArray(stream) || !Array.isArray(groups)) return undefined;
  const ofGroups = yield* readGroups(key, groups, pageOf(limits));
  if (!Array.isArray(ofGroups)) return ofGroups;
  const told = (command: Words): Change => ({
    seq,
    index,
    ns,
    key,
    op: 'streamMeta',
    type: 'stream',
    command,
  });
  const state = stateOf(stream, changes.length);
  const begin = streamBeginCommands(key, state, changes.length === 0).map(told);
  for (const command of streamStateCommands(key, state)) changes.push(told(command));
  for (const command of ofGroups) changes.push(told(command));
  return begin.length === 0 ? changes : [...begin, ...changes];
}

/** What is read of a part of a stream: `undefined` and texts as of a whole value. */
type PartReading<Part> = Generator<readonly Command[], Part | string | undefined, readonly Reply[]>;
/** A command that brings a part of the stream about. */
type Words = readonly (string | Uint8Array)[];

function* readEntries({ seq, index, ns, key }: KeyFacts, limits: ReadLimits): PartReading<Change[]> {
  const count = pageOf(limits);
  const changes: Change[] = [];
  let start = '-';
  for (;;) {
    const [reply] = yield [['XRANGE', key, start, '+', 'COUNT', count]];
    if (reply instanceof ReplyError) return failed(reply);
    if (!Array.isArray(reply)) return undefined;
    for (const entry of reply) {
      const [id, fields] = Array.isArray(entry) ? entry : [];
      if (!Array.isArray(fields)) return undefined;
      const read = buffersOf(fields);
      if (!limits.budget.takeAll(read)) return tooLarge;
      changes.push({ seq, index, ns, key, op: 'put', type: 'stream', id: String(id), fields: read });
      start = `(${String(id)}`;
    }
    if (reply.length < count) return changes;
  }
}

/** Entries that are asked for at once. */
const pageOf = ({ pageElements }: ReadLimits): number => Math.min(pageElements, largestCount);

const stateOf = (stream: Reply, entries: number) => {
  const info = namedValues(stream);
  return {
    lastId: String(info.get('last-generated-id')),
    entriesAdded: String(info.get('entries-added') ?? entries),
    maxDeletedId: String(info.get('max-deleted-entry-id') ?? '0-0'),
  };
};

/** The commands that make the groups, with their consumers and pending entries. */
function* readGroups(key: Buffer, groups: readonly Reply[], count: number): PartReading<Words[]> {
  const names = namesIn(groups);
  const consumers = yield* readConsumers(key, names);
  if (consumers === undefined || names.length < groups.length) return undefined;
  const commands: Words[] = [];
  for (const [at, name] of names.entries()) {
    const group = namedValues(groups[at]);
    const created = ['XGROUP', 'CREATE', key, name, String(group.get('last-delivered-id')), 'MKSTREAM'];
    const read = group.get('entries-read');
    commands.push([...created, 'ENTRIESREAD', String(typeof read === 'number' ? read : -1)]);
    for (const consumer of consumers[at]) commands.push(['XGROUP', 'CREATECONSUMER', key, name, consumer]);
    const pending = yield* readPending(key, name, count);
    if (!Array.isArray(pending)) return pending;
    for (const command of pending) commands.push(command);
  }
  return commands;
}

/**
 * The consumers of each group; undefined when the answers do not fit together. A Kvrocks lists all consumers from the
 * group's own to the end of the stream's records, also for a group that it does not have, by which it is known here; those
 * from the next possible name on are no longer the group's. Neither its count of a group's consumers, of which it loses
 * some that a read or a claim makes, nor the next group's list tells where to cut: consumers may outlive their group.
 */
function* readConsumers(
  key: Buffer,
  groups: readonly Buffer[],
): Generator<readonly Command[], Buffer[][] | undefined, readonly Reply[]> {
  if (groups.length === 0) return [];
  const asked = [firstAbsent(groups), ...groups, ...groups.map(nextName)];
  const [ofNoGroup, ...replies] = yield asked.map((name) => ['XINFO', 'CONSUMERS', key, name]);
  const listsFollowing = Array.isArray(ofNoGroup) && ofNoGroup.length > 0;
  const lists: Buffer[][] = [];
  for (const at of groups.keys()) {
    const [list, following] = [replies[at], replies[groups.length + at]];
    if (!Array.isArray(list)) return undefined;
    const others = listsFollowing && Array.isArray(following) ? following.length : 0;
    lists.push(namesIn(list.slice(0, Math.max(0, list.length - others))));
  }
  return lists;
}

/** A name that none of them has, before all others in the order of a Kvrocks: by length, then by bytes. */
const firstAbsent = (names: readonly Buffer[]): Buffer => {
  let absent = Buffer.alloc(0);
  while (names.some((name) => name.equals(absent))) absent = Buffer.alloc(absent.length + 1);
  return absent;
};

/** The name that comes next in that order. */
const nextName = (name: Buffer): Buffer => {
  const next = Buffer.from(name);
  for (let at = next.length - 1; at >= 0; at--) {
    next[at]++;
    if (next[at] > 0) return next;
  }
  return Buffer.alloc(name.length + 1);
};

/** The commands that bring the pending entries of a group to their consumers. */
function* readPending(key: Buffer, group: Buffer, count: number): PartReading<Words[]> {
  const commands: Words[] = [];
  let start = '-';
  for (;;) {
    const [pending] = yield [['XPENDING', key, group, start, '+', count]];
    if (pending instanceof ReplyError) return failed(pending);
    if (!Array.isArray(pending)) return undefined;
    for (const reply of pending) {
      const [id, consumer, idle, deliveries] = Array.isArray(reply) ? reply : [];
      if (!(consumer instanceof Buffer)) return undefined;
      const time = String(Date.now() - Number(idle));
      const claimed = ['XCLAIM', key, group, consumer, '0', String(id), 'TIME', time];
      commands.push([...claimed, 'RETRYCOUNT', String(deliveries), 'FORCE', 'JUSTID']);
      start = `(${String(id)}`;
    }
    if (pending.length < count) return commands;
  }
}

/** The names of groups or consumers. */
const namesIn = (replies: readonly Reply[]): Buffer[] =>
  replies
    .map((reply) => namedValues(reply).get('name'))
    .filter((name): name is Buffer => name instanceof Buffer);

/** A flat list of names and values, or of a RESP3 map, by name. */
const namedValues = (reply: Reply): Map<string, Reply> => {
  const items = Array.isArray(reply) ? reply : [];
  const values = new Map<string, Reply>();
  for (let at = 0; at + 1 < items.length; at += 2) values.set(String(items[at]), items[at + 1]);
  return values;
};
