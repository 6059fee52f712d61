import { largestStreamId, type StreamId } from '../../encoding/stream-encoding.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, noKeys, type Wait } from '../data-command.js';
import { ErrorReply, nullArray, type Reply, refusal, tableReply } from '../reply.js';
import { findGroupOf, type PendingEntry, type StreamGroup } from './stream-group.js';
import { invalidId, nextStreamId, parseStreamId } from './stream-id.js';
import { entryReply, findStream, idReply, type StreamValue, streamNote } from './stream-value.js';

/** What a call of XREAD or XREADGROUP asks for. */
interface ReadQuery {
  readonly count: number;
  readonly blockMs: number | undefined;
  readonly isNoAck: boolean;
  readonly group: Buffer | undefined;
  readonly consumer: Buffer | undefined;
  readonly keys: readonly Buffer[];
  /** ids as given, one for each key */
  readonly ids: readonly Buffer[];
  /** place of the first id among the arguments */
  readonly idsAt: number;
}

/** Parses `[GROUP g c] [COUNT n] [BLOCK ms] [NOACK] STREAMS key … id …`. */
const parseReadQuery = (args: readonly Buffer[]): ReadQuery | ErrorReply => {
  let count = Number.POSITIVE_INFINITY;
  let blockMs: number | undefined;
  let isNoAck = false;
  let group: Buffer | undefined;
  let consumer: Buffer | undefined;
  for (let i = 1; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'NOACK') isNoAck = true;
    else if (word === 'STREAMS') {
      const names = args.slice(i + 1);
      if (names.length === 0 || names.length % 2 !== 0)
        return new ErrorReply(
          `ERR Unbalanced '${String(args[0]).toLowerCase()}' list of streams: for each stream key an ID or '$' must be specified.`,
        );
      const half = names.length / 2;
      const [keys, ids] = [names.slice(0, half), names.slice(half)];
      return { count, blockMs, isNoAck, group, consumer, keys, ids, idsAt: i + 1 + half };
    } else if (word === 'GROUP' && i + 2 < args.length) {
      group = args[++i];
      consumer = args[++i];
    } else if ((word === 'COUNT' || word === 'BLOCK') && i + 1 < args.length) {
      const amount = parseClamped(args[++i]);
      if (amount === undefined)
        return word === 'COUNT'
          ? refusal.notInteger
          : new ErrorReply('ERR timeout is not an integer or out of range');
      if (word === 'BLOCK' && amount < 0) return new ErrorReply('ERR timeout is negative');
      if (word === 'BLOCK') blockMs = amount;
      else if (amount > 0) count = amount;
    } else return refusal.syntax;
  }
  return refusal.syntax;
};

const xread = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const query = parseReadQuery(args);
  if (query instanceof ErrorReply) return query;
  if (query.group !== undefined) return onlyOfGroups('GROUP');
  if (query.isNoAck) return onlyOfGroups('NOACK');
  const replies: Reply[] = [];
  for (const [i, key] of query.keys.entries()) {
    const stream = findStream(context, key);
    if (stream instanceof ErrorReply) return stream;
    const after = parseReadStart(stream, query.ids[i]);
    if (after instanceof ErrorReply) return after;
    const first = nextStreamId(after);
    if (stream === undefined || first === undefined) continue;
    const entries = stream.range(first, largestStreamId, false, query.count);
    if (entries.length > 0) replies.push(Buffer.from(key), entries.map(entryReply));
  }
  return replies.length === 0 ? nullArray : tableReply(replies);
};

const onlyOfGroups = (option: string): ErrorReply =>
  new ErrorReply(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`);

const notYetDelivered = new ErrorReply(
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
);

const nothingOfHistory = new ErrorReply(
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
);

/** `$`: what is there now has been read. */
const parseReadStart = (stream: StreamValue | undefined, word: Buffer): StreamId | ErrorReply => {
  const text = word.toString('latin1');
  if (text === '$') return stream?.state.lastGeneratedId ?? { ms: 0n, seq: 0n };
  return text === '>' ? notYetDelivered : (parseStreamId(word, 0n) ?? invalidId);
};

const xreadgroup = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const query = parseReadQuery(args);
  if (query instanceof ErrorReply) return query;
  const { consumer } = query;
  if (query.group === undefined || consumer === undefined)
    return new ErrorReply('ERR Missing GROUP option for XREADGROUP');
  const groups: StreamGroup[] = [];
  const starts: (StreamId | undefined)[] = [];
  for (const [i, key] of query.keys.entries()) {
    const stream = findStream(context, key);
    if (stream instanceof ErrorReply) return stream;
    // A stream that is named twice goes on where its first reading ended.
    const known = groups.find((other) => other.stream.key.equals(key));
    const group = known ?? (stream === undefined ? undefined : findGroupOf(stream, query.group));
    if (group === undefined)
      return new ErrorReply(
        `NOGROUP No such key '${key}' or consumer group '${query.group}' in XREADGROUP with GROUP option`,
      );
    const word = query.ids[i];
    const isNew = word.toString('latin1') === '>';
    const start = isNew ? undefined : parseStreamId(word, 0n);
    if (!isNew && start === undefined) return word.toString('latin1') === '$' ? nothingOfHistory : invalidId;
    groups.push(group);
    starts.push(start);
  }
  const replies: Reply[] = [];
  context.batch.logData(streamNote);
  for (const [i, group] of groups.entries()) {
    const start = starts[i];
    const reply =
      start === undefined
        ? readNew(context, group, consumer, query)
        : readHistory(context, group, consumer, start, query.count);
    if (reply !== undefined) replies.push(Buffer.from(group.stream.key), reply);
  }
  return replies.length === 0 ? nullArray : tableReply(replies);
};

/** Delivers entries that no consumer has had; undefined when there are none. */
const readNew = (
  context: CommandContext,
  group: StreamGroup,
  consumer: Buffer,
  query: ReadQuery,
): Reply | undefined => {
  const nowMs = context.nowMs();
  const first = nextStreamId(group.state.lastDeliveredId);
  const entries = first === undefined ? [] : group.stream.range(first, largestStreamId, false, query.count);
  const last = entries.at(-1);
  if (last === undefined) return undefined;
  const known = group.ensureConsumer(consumer, nowMs);
  const pending = query.isNoAck ? 0 : entries.length;
  if (!query.isNoAck)
    for (const { id } of entries)
      group.putPending(id, { deliveredMs: nowMs, deliveryCount: 1, consumer: Buffer.from(consumer) });
  group.setConsumer(consumer, {
    pendingCount: known.pendingCount + pending,
    lastSeenMs: nowMs,
    lastActiveMs: nowMs,
  });
  group.state = {
    ...group.state,
    pendingCount: group.state.pendingCount + pending,
    lastDeliveredId: last.id,
    entriesRead: group.state.entriesRead + BigInt(entries.length),
  };
  group.putGroup();
  group.putConsumers();
  return entries.map(entryReply);
};

/** The consumer's own pending entries behind `start`, delivered once more; deleted ones without fields. */
const readHistory = (
  context: CommandContext,
  group: StreamGroup,
  consumer: Buffer,
  start: StreamId,
  count: number,
): Reply => {
  const first = nextStreamId(start);
  const replies: Reply[] = [];
  group.ensureConsumer(consumer, context.nowMs());
  group.putWhenChanged();
  const deliver = (entry: PendingEntry): boolean => {
    const { id, deliveryCount } = entry;
    const fields = group.stream.read(id);
    replies.push(fields === undefined ? [idReply(id), nullArray] : entryReply({ id, fields }));
    if (fields !== undefined)
      group.putPending(id, { deliveredMs: context.nowMs(), deliveryCount: deliveryCount + 1, consumer });
    return replies.length < count;
  };
  if (first !== undefined) group.forEachPending({ first, consumer }, deliver);
  return replies;
};

const wait: Wait = {
  timeoutMs: (args) => {
    const query = parseReadQuery(args);
    return query instanceof ErrorReply ? query : query.blockMs;
  },
  retryArgs: (context, args) => {
    const query = parseReadQuery(args);
    if (query instanceof ErrorReply) return args;
    return args.map((word, i) => {
      const key = query.keys[i - query.idsAt];
      if (i < query.idsAt || key === undefined || word.toString('latin1') !== '$') return Buffer.from(word);
      const stream = findStream(context, key);
      return stream === undefined || stream instanceof ErrorReply
        ? Buffer.from('0-0')
        : idReply(stream.state.lastGeneratedId);
    });
  },
};

const keysOf = (args: readonly Buffer[]): readonly Buffer[] => {
  const query = parseReadQuery(args);
  return query instanceof ErrorReply ? [] : query.keys;
};

const reads = { keys: noKeys, keysOf };

export const streamReadCommands: readonly DataCommand[] = [
  { ...reads, name: 'xread', arity: -4, isWrite: false, wait: { ...wait, type: 'stream' }, run: xread },
  { ...reads, name: 'xreadgroup', arity: -7, isWrite: true, wait, run: xreadgroup },
];
