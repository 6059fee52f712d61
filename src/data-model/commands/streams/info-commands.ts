import { compareStreamIds, largestStreamId, smallestStreamId } from '../../encoding/stream-encoding.js';
import { optionWord } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, type KeyPositions, readCommand } from '../data-command.js';
import { ErrorReply, mapReply, type Reply, refusal, wrongArity } from '../reply.js';
import { findGroup, groupsOf, type StreamGroup } from './stream-group.js';
import { nextStreamId } from './stream-id.js';
import { entryReply, findStream, idReply, type StreamValue } from './stream-value.js';

const word = (text: string): Buffer => Buffer.from(text);

const streamInfo = (stream: StreamValue): Reply => {
  const { state } = stream;
  const edge = (isLast: boolean): Reply => {
    const [entry] = stream.range(smallestStreamId, largestStreamId, isLast, 1);
    return entry === undefined ? null : entryReply(entry);
  };
  return mapReply([
    ...[word('length'), stream.length],
    ...[word('last-generated-id'), idReply(state.lastGeneratedId)],
    ...[word('max-deleted-entry-id'), idReply(state.maxDeletedId)],
    ...[word('entries-added'), Number(state.entriesAdded)],
    ...[word('recorded-first-entry-id'), idReply(state.recordedFirstId)],
    ...[word('groups'), Number(state.groupCount)],
    ...[word('first-entry'), edge(false)],
    ...[word('last-entry'), edge(true)],
  ]);
};

const groupInfo = (group: StreamGroup): Reply =>
  mapReply([
    ...[word('name'), group.name],
    ...[word('consumers'), group.state.consumerCount],
    ...[word('pending'), group.state.pendingCount],
    ...[word('last-delivered-id'), idReply(group.state.lastDeliveredId)],
    ...[word('entries-read'), group.state.entriesRead < 0n ? null : Number(group.state.entriesRead)],
    ...[word('lag'), lagOf(group)],
  ]);

/** Entries that the group has not been given, counted. */
const lagOf = ({ stream, state }: StreamGroup): number => {
  const first = nextStreamId(state.lastDeliveredId);
  if (first === undefined || compareStreamIds(state.lastDeliveredId, stream.state.lastGeneratedId) >= 0)
    return 0;
  if (compareStreamIds(state.lastDeliveredId, stream.state.firstId) < 0) return stream.length;
  return stream.range(first, largestStreamId, false, Number.POSITIVE_INFINITY).length;
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

/** `XINFO STREAM key`, `XINFO GROUPS key`, `XINFO CONSUMERS key group` */
const xinfo = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const subcommand = optionWord(args[1] as Buffer);
  const key = args[2];
  if (!['STREAM', 'GROUPS', 'CONSUMERS'].includes(subcommand))
    return new ErrorReply(`ERR unknown subcommand '${args[1]}'. Try XINFO HELP.`);
  if (key === undefined || args.length !== (subcommand === 'CONSUMERS' ? 4 : 3))
    return wrongArity(`xinfo|${subcommand.toLowerCase()}`);
  const stream = findStream(context, key);
  if (stream === undefined) return refusal.noSuchKey;
  if (stream instanceof ErrorReply) return stream;
  if (subcommand === 'STREAM') return streamInfo(stream);
  if (subcommand === 'GROUPS') return groupsOf(stream).map(groupInfo);
  const group = findGroup(context, key, args[3] as Buffer);
  return group instanceof ErrorReply ? group : consumersInfo(context, group);
};

const secondArgument: KeyPositions = { first: 2, last: 2, step: 1 };

export const infoCommands: readonly DataCommand[] = [readCommand('xinfo', -2, secondArgument, xinfo)];
