import { compareStreamIds, largestStreamId, smallestStreamId } from '../../encoding/stream-encoding.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, type KeyPositions, parseSubcommands, readCommand } from '../data-command.js';
import { ErrorReply, mapReply, type Reply, refusal } from '../reply.js';
import {
  findGroupOf,
  type GroupConsumer,
  groupsOf,
  noGroupIn,
  type PendingEntry,
  type StreamGroup,
} from './stream-group.js';
import { nextStreamId } from './stream-id.js';
import { entryReply, findStream, idReply, type StreamValue } from './stream-value.js';

const word = (text: string): Buffer => Buffer.from(text);

const streamInfo = (stream: StreamValue): Reply => {
  const edge = (isLast: boolean): Reply => {
    const [entry] = stream.range(smallestStreamId, largestStreamId, isLast, 1);
    return entry === undefined ? null : entryReply(entry);
  };
  return mapReply([
    ...stateOf(stream),
    ...[word('groups'), Number(stream.state.groupCount)],
    ...[word('first-entry'), edge(false)],
    ...[word('last-entry'), edge(true)],
  ]);
};

const stateOf = ({ state, length }: StreamValue): Reply[] => [
  ...[word('length'), length],
  ...[word('last-generated-id'), idReply(state.lastGeneratedId)],
  ...[word('max-deleted-entry-id'), idReply(state.maxDeletedId)],
  ...[word('entries-added'), Number(state.entriesAdded)],
  ...[word('recorded-first-entry-id'), idReply(state.recordedFirstId)],
];

/** At most `count` entries, and as many pending ones of each group and consumer; 0 = all. */
const fullStreamInfo = (stream: StreamValue, count: number): Reply => {
  const most = count === 0 ? Number.POSITIVE_INFINITY : count;
  return mapReply([
    ...stateOf(stream),
    ...[word('entries'), stream.range(smallestStreamId, largestStreamId, false, most).map(entryReply)],
    ...[word('groups'), groupsOf(stream).map((group) => fullGroupInfo(group, most))],
  ]);
};

/** At most `most` pending entries of the group and of each consumer, found in one walk that ends with the last wanted. */
const pendingOf = (
  group: StreamGroup,
  consumers: readonly GroupConsumer[],
  most: number,
): { readonly all: readonly PendingEntry[]; readonly own: ReadonlyMap<string, readonly PendingEntry[]> } => {
  const all: PendingEntry[] = [];
  const own = new Map<string, PendingEntry[]>(consumers.map(({ name }) => [name.toString('latin1'), []]));
  let missing = 0;
  for (const { state } of consumers) missing += Math.min(most, state.pendingCount);
  group.forEachPending({ first: smallestStreamId }, (entry) => {
    if (all.length < most) all.push(entry);
    const ofConsumer = own.get(entry.consumer.toString('latin1'));
    if (ofConsumer !== undefined && ofConsumer.length < most) {
      ofConsumer.push(entry);
      missing--;
    }
    return missing > 0 || all.length < most;
  });
  return { all, own };
};

const fullGroupInfo = (group: StreamGroup, most: number): Reply => {
  const consumers = group.consumers();
  const { all, own } = pendingOf(group, consumers, most);
  const consumerReplies = consumers.map(({ name, state }) =>
    mapReply([
      ...[word('name'), name],
      ...[word('seen-time'), state.lastSeenMs],
      ...[word('active-time'), state.lastActiveMs],
      ...[word('pel-count'), state.pendingCount],
      ...[
        word('pending'),
        (own.get(name.toString('latin1')) ?? []).map(({ id, deliveredMs, deliveryCount }) => [
          idReply(id),
          deliveredMs,
          deliveryCount,
        ]),
      ],
    ]),
  );
  return mapReply([
    ...[word('name'), group.name],
    ...[word('last-delivered-id'), idReply(group.state.lastDeliveredId)],
    ...[word('entries-read'), entriesReadOf(group)],
    ...[word('lag'), lagOf(group)],
    ...[word('pel-count'), group.state.pendingCount],
    ...[
      word('pending'),
      all.map(({ id, consumer, deliveredMs, deliveryCount }) => [
        idReply(id),
        consumer,
        deliveredMs,
        deliveryCount,
      ]),
    ],
    ...[word('consumers'), consumerReplies],
  ]);
};

const groupInfo = (group: StreamGroup): Reply =>
  mapReply([
    ...[word('name'), group.name],
    ...[word('consumers'), group.state.consumerCount],
    ...[word('pending'), group.state.pendingCount],
    ...[word('last-delivered-id'), idReply(group.state.lastDeliveredId)],
    ...[word('entries-read'), entriesReadOf(group)],
    ...[word('lag'), lagOf(group)],
  ]);

const entriesReadOf = ({ state }: StreamGroup): number | null =>
  state.entriesRead < 0n ? null : Number(state.entriesRead);

/** Entries that the group has not been given, counted. */
const lagOf = ({ stream, state }: StreamGroup): number => {
  const first = nextStreamId(state.lastDeliveredId);
  if (first === undefined || compareStreamIds(state.lastDeliveredId, stream.state.lastGeneratedId) >= 0)
    return 0;
  if (compareStreamIds(state.lastDeliveredId, stream.state.firstId) < 0) return stream.length;
  return stream.countFrom(first);
};

const consumersInfo = (context: CommandContext, group: StreamGroup): Reply => {
  const nowMs = context.nowMs();
  return group
    .consumers()
    .map(({ name, state }) =>
      mapReply([
        ...[word('name'), name],
        ...[word('pending'), state.pendingCount],
        ...[word('idle'), Math.max(0, nowMs - state.lastSeenMs)],
        ...[word('inactive'), Math.max(0, nowMs - state.lastActiveMs)],
      ]),
    );
};

/** Parses `FULL [COUNT n]` from `args[3]` on: how many entries to show, 0 = all; undefined without it. */
const parseFull = (args: readonly Buffer[]): number | undefined | ErrorReply => {
  if (args.length === 3) return undefined;
  const [full, word] = args.slice(3, 5).map(optionWord);
  if (full !== 'FULL' || (args.length > 4 && (word !== 'COUNT' || args.length !== 6)))
    return new ErrorReply(
      `ERR unknown subcommand or wrong number of arguments for '${args[1]}'. Try XINFO HELP.`,
    );
  if (args.length === 4) return defaultFullCount;
  const count = parseClamped(args[5]);
  if (count === undefined) return refusal.notInteger;
  return count < 0 ? defaultFullCount : count;
};

const defaultFullCount = 10;

/** `XINFO STREAM key [FULL [COUNT n]]`, `XINFO GROUPS key`, `XINFO CONSUMERS key group` */
const xinfo = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const subcommand = optionWord(args[1]);
  const key = args[2];
  const stream = findStream(context, key);
  if (stream === undefined) return refusal.noSuchKey;
  if (stream instanceof ErrorReply) return stream;
  if (subcommand === 'STREAM') {
    const count = parseFull(args);
    if (count instanceof ErrorReply) return count;
    return count === undefined ? streamInfo(stream) : fullStreamInfo(stream, count);
  }
  if (subcommand === 'GROUPS') return groupsOf(stream).map(groupInfo);
  const group = findGroupOf(stream, args[3]);
  return group === undefined ? noGroupIn(key, args[3]) : consumersInfo(context, group);
};

const secondArgument: KeyPositions = { first: 2, last: 2, step: 1 };

export const infoCommands: readonly DataCommand[] = [
  {
    ...readCommand('xinfo', -2, secondArgument, xinfo),
    subcommands: parseSubcommands('stream -3 groups 3 consumers 4'),
  },
];
