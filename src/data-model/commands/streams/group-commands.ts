import { type StreamId, smallestStreamId } from '../../encoding/stream-encoding.js';
import { optionWord, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import {
  type DataCommand,
  type KeyPositions,
  oneKey,
  parseSubcommands,
  writeCommand,
} from '../data-command.js';
import { ErrorReply, ok, type Reply, refusal } from '../reply.js';
import { findGroup, findGroupOf, noGroupIn, type PendingEntry, StreamGroup } from './stream-group.js';
import { invalidId, parseStreamId } from './stream-id.js';
import { createStream, findStream, type StreamValue, streamNote } from './stream-value.js';

const missingKey = new ErrorReply(
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
);

/** `$` is the last id of the stream. */
const parseGroupStart = (stream: StreamValue | undefined, word: Buffer): StreamId | ErrorReply => {
  if (word.toString('latin1') === '$') return stream?.state.lastGeneratedId ?? { ms: 0n, seq: 0n };
  return parseStreamId(word, 0n) ?? invalidId;
};

/** Parses `[MKSTREAM] [ENTRIESREAD n]`. */
const parseGroupOptions = (
  words: readonly Buffer[],
): { readonly createsKey: boolean; readonly entriesRead: bigint } | ErrorReply => {
  let createsKey = false;
  let entriesRead = -1n;
  for (let i = 0; i < words.length; i++) {
    const word = optionWord(words[i]);
    if (word === 'MKSTREAM') createsKey = true;
    else if (word === 'ENTRIESREAD' && words[i + 1] !== undefined) {
      const count = parseInteger(words[++i]);
      if (count === undefined) return refusal.notInteger;
      if (count < -1) return new ErrorReply('ERR value for ENTRIESREAD must be positive or -1');
      entriesRead = BigInt(count);
    } else return refusal.syntax;
  }
  return { createsKey, entriesRead };
};

const create = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseGroupOptions(args.slice(5));
  if (options instanceof ErrorReply) return options;
  const key = args[2];
  const name = args[3];
  const found = findStream(context, key);
  if (found instanceof ErrorReply) return found;
  if (found === undefined && !options.createsKey) return missingKey;
  const start = parseGroupStart(found, args[4]);
  if (start instanceof ErrorReply) return start;
  const stream = found ?? createStream(context, key);
  if (found !== undefined && findGroupOf(stream, name) !== undefined)
    return new ErrorReply('BUSYGROUP Consumer Group name already exists');
  const group = new StreamGroup(stream, name, {
    consumerCount: 0,
    pendingCount: 0,
    lastDeliveredId: start,
    entriesRead: options.entriesRead,
    lag: 0n,
  });
  context.batch.logData(streamNote);
  group.putGroup();
  stream.state = { ...stream.state, groupCount: stream.state.groupCount + 1n };
  stream.putMetadata();
  return ok;
};

const setId = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseGroupOptions(args.slice(5));
  if (options instanceof ErrorReply) return options;
  const group = existingGroup(context, args);
  if (group instanceof ErrorReply) return group;
  const lastDeliveredId = parseGroupStart(group.stream, args[4]);
  if (lastDeliveredId instanceof ErrorReply) return lastDeliveredId;
  group.state = { ...group.state, lastDeliveredId, entriesRead: options.entriesRead };
  context.batch.logData(streamNote);
  group.putGroup();
  return ok;
};

const destroy = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const stream = findStream(context, args[2]);
  if (stream === undefined) return missingKey;
  if (stream instanceof ErrorReply) return stream;
  const group = findGroupOf(stream, args[3]);
  if (group === undefined) return 0;
  context.batch.logData(streamNote);
  group.destroy();
  stream.state = { ...stream.state, groupCount: stream.state.groupCount - 1n };
  stream.putMetadata();
  return 1;
};

const createConsumer = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const group = existingGroup(context, args);
  if (group instanceof ErrorReply) return group;
  const name = args[4];
  if (group.consumer(name) !== undefined) return 0;
  const nowMs = context.nowMs();
  group.setConsumer(name, { pendingCount: 0, lastSeenMs: nowMs, lastActiveMs: nowMs });
  context.batch.logData(streamNote);
  group.putConsumers();
  group.putGroup();
  return 1;
};

/** Deletes the consumer with its pending entries; answers how many those were. */
const deleteConsumer = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const group = existingGroup(context, args);
  if (group instanceof ErrorReply) return group;
  const name = args[4];
  if (group.consumer(name) === undefined) return 0;
  context.batch.logData(streamNote);
  let pending = 0;
  const remove = ({ id }: PendingEntry): void => {
    group.deletePending(id);
    pending++;
  };
  group.forEachPending({ first: smallestStreamId, consumer: name }, remove);
  group.deleteConsumer(name);
  group.state = { ...group.state, pendingCount: group.state.pendingCount - pending };
  group.putGroup();
  return pending;
};

const existingGroup = (context: CommandContext, args: readonly Buffer[]): StreamGroup | ErrorReply => {
  const key = args[2];
  const name = args[3];
  const stream = findStream(context, key);
  if (stream === undefined) return missingKey;
  if (stream instanceof ErrorReply) return stream;
  return findGroupOf(stream, name) ?? noGroupIn(key, name);
};

const runs: ReadonlyMap<string, DataCommand['run']> = new Map([
  ['CREATE', create],
  ['SETID', setId],
  ['DESTROY', destroy],
  ['CREATECONSUMER', createConsumer],
  ['DELCONSUMER', deleteConsumer],
]);

const xgroup = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const run = runs.get(optionWord(args[1]));
  return run === undefined ? refusal.syntax : run(context, args);
};

/** `XACK key group id [id …]` */
const xack = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const ids: StreamId[] = [];
  for (const word of args.slice(3)) {
    const id = parseStreamId(word, 0n);
    if (id === undefined) return invalidId;
    ids.push(id);
  }
  const group = findGroup(context, args[1], args[2]);
  if (group instanceof ErrorReply) return group.text.startsWith('NOGROUP') ? 0 : group;
  context.batch.logData(streamNote);
  const seen = new Set<string>();
  for (const id of ids) {
    const name = `${id.ms}-${id.seq}`;
    const pending = seen.has(name) ? undefined : group.pending(id);
    if (pending === undefined) continue;
    seen.add(name);
    group.deletePending(id);
    group.addPending(pending.consumer, -1);
  }
  if (seen.size === 0) return 0;
  group.state = { ...group.state, pendingCount: group.state.pendingCount - seen.size };
  group.putGroup();
  group.putConsumers();
  return seen.size;
};

const secondArgument: KeyPositions = { first: 2, last: 2, step: 1 };

export const groupCommands: readonly DataCommand[] = [
  {
    ...writeCommand('xgroup', -2, secondArgument, xgroup),
    subcommands: parseSubcommands('create -5 setid -5 destroy 4 createconsumer 5 delconsumer 5'),
  },
  writeCommand('xack', -4, oneKey, xack),
];
