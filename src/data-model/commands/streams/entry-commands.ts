import { encodeLogData } from '../../encoding/log-data.js';
import { compareStreamIds, type StreamId } from '../../encoding/stream-encoding.js';
import { optionWord, parseClamped, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, nullArray, ok, type Reply, refusal, wrongArity } from '../reply.js';
import { chooseId, invalidId, parseRangeEnd, parseStreamId, parseWantedId } from './stream-id.js';
import { createStream, entryReply, findStream, idReply, streamNote } from './stream-value.js';
import { parseTrim, type Trim, trimStream } from './trim.js';

const setIdNote = encodeLogData('stream', 'XSETID');

/** `XADD key [NOMKSTREAM] [MAXLEN|MINID …] id field value …` */
const xadd = (context: CommandContext, args: readonly Buffer[]): Reply => {
  let createsKey = true;
  let trim: Trim | undefined;
  let at = 2;
  for (; at < args.length; ) {
    const word = optionWord(args[at]);
    if (word === 'NOMKSTREAM') {
      createsKey = false;
      at++;
    } else if (word === 'MAXLEN' || word === 'MINID') {
      if (trim !== undefined)
        return new ErrorReply(
          'ERR syntax error, MAXLEN and MINID options at the same time are not compatible',
        );
      const parsed = parseTrim(args, at);
      if (parsed instanceof ErrorReply) return parsed;
      trim = parsed.trim;
      at = parsed.next;
    } else break;
  }
  const fields = args.slice(at + 1);
  if (fields.length === 0 || fields.length % 2 !== 0) return wrongArity('xadd');
  const wanted = parseWantedId(args[at]);
  if (wanted instanceof ErrorReply) return wanted;
  if (wanted.kind === 'given' && wanted.id.ms === 0n && wanted.id.seq === 0n)
    return new ErrorReply('ERR The ID specified in XADD must be greater than 0-0');
  const key = args[1];
  const found = findStream(context, key);
  if (found instanceof ErrorReply) return found;
  if (found === undefined && !createsKey) return null;
  const stream = found ?? createStream(context, key);
  const id = chooseId(wanted, stream.state.lastGeneratedId, context.nowMs());
  if (id instanceof ErrorReply) return id;
  context.batch.logData(streamNote);
  if (trim !== undefined) trimStream(stream, roomForOne(trim));
  if (trim !== undefined && removesNew(trim, id))
    stream.state = { ...stream.state, lastGeneratedId: id, maxDeletedId: id };
  else stream.append(id, fields);
  stream.state = { ...stream.state, entriesAdded: stream.state.entriesAdded + 1n };
  stream.putMetadata();
  return idReply(id);
};

const roomForOne = (trim: Trim): Trim =>
  trim.by === 'length' ? { ...trim, maxLength: Math.max(0, trim.maxLength - 1) } : trim;

const removesNew = (trim: Trim, id: StreamId): boolean =>
  trim.by === 'length' ? trim.maxLength === 0 : compareStreamIds(id, trim.minId) < 0;

const xlen = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.find(args[1], 'stream');
  return metadata instanceof ErrorReply ? metadata : (metadata?.size ?? 0);
};

/** `XRANGE key start end [COUNT n]`; XREVRANGE names the end first. */
const range =
  (isReverse: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const first = parseRangeEnd(args[isReverse ? 3 : 2], true);
    const last = parseRangeEnd(args[isReverse ? 2 : 3], false);
    if (first instanceof ErrorReply) return first;
    if (last instanceof ErrorReply) return last;
    let count = Number.POSITIVE_INFINITY;
    if (args.length > 4) {
      if (args.length !== 6 || optionWord(args[4]) !== 'COUNT') return refusal.syntax;
      const wanted = parseClamped(args[5]);
      if (wanted === undefined) return refusal.notInteger;
      count = wanted;
    }
    const stream = findStream(context, args[1]);
    if (stream instanceof ErrorReply) return stream;
    if (stream === undefined) return [];
    return count <= 0 ? nullArray : stream.range(first, last, isReverse, count).map(entryReply);
  };

const xdel = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const wanted: StreamId[] = [];
  for (const word of args.slice(2)) {
    const id = parseStreamId(word, 0n);
    if (id === undefined) return invalidId;
    wanted.push(id);
  }
  const stream = findStream(context, args[1]);
  if (stream === undefined) return 0;
  if (stream instanceof ErrorReply) return stream;
  wanted.sort(compareStreamIds);
  const found = wanted.filter(
    (id, i) => (i === 0 || compareStreamIds(id, wanted[i - 1]) !== 0) && stream.read(id) !== undefined,
  );
  if (found.length === 0) return 0;
  context.batch.logData(streamNote);
  stream.remove(found);
  stream.putMetadata();
  return found.length;
};

const xtrim = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const strategy = optionWord(args[2]);
  if (strategy !== 'MAXLEN' && strategy !== 'MINID') return refusal.syntax;
  const parsed = parseTrim(args, 2);
  if (parsed instanceof ErrorReply) return parsed;
  if (parsed.next !== args.length) return refusal.syntax;
  const stream = findStream(context, args[1]);
  if (stream === undefined) return 0;
  if (stream instanceof ErrorReply) return stream;
  context.batch.logData(streamNote);
  const deleted = trimStream(stream, parsed.trim);
  if (deleted > 0) stream.putMetadata();
  return deleted;
};

/** `XSETID key id [ENTRIESADDED n] [MAXDELETEDID id]` */
const xsetid = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const lastGeneratedId = parseStreamId(args[2], 0n);
  if (lastGeneratedId === undefined) return invalidId;
  let entriesAdded: bigint | undefined;
  let maxDeletedId: StreamId | undefined;
  for (let i = 3; i < args.length; i += 2) {
    const word = optionWord(args[i]);
    const value = args[i + 1];
    if (value === undefined) return refusal.syntax;
    if (word === 'ENTRIESADDED') {
      const count = parseInteger(value);
      if (count === undefined) return refusal.notInteger;
      if (count < 0) return new ErrorReply('ERR entries_added must be positive');
      entriesAdded = BigInt(count);
    } else if (word === 'MAXDELETEDID') {
      maxDeletedId = parseStreamId(value, 0n);
      if (maxDeletedId === undefined) return invalidId;
    } else return refusal.syntax;
  }
  if (maxDeletedId !== undefined && compareStreamIds(lastGeneratedId, maxDeletedId) < 0)
    return new ErrorReply('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id');
  const stream = findStream(context, args[1]);
  if (stream === undefined) return refusal.noSuchKey;
  if (stream instanceof ErrorReply) return stream;
  if (stream.length > 0 && compareStreamIds(lastGeneratedId, stream.state.lastId) < 0)
    return new ErrorReply('ERR The ID specified in XSETID is smaller than the target stream top item');
  if (entriesAdded !== undefined && entriesAdded < BigInt(stream.length))
    return new ErrorReply(
      'ERR The entries_added specified in XSETID is smaller than the target stream length',
    );
  context.batch.logData(setIdNote);
  stream.state = {
    ...stream.state,
    lastGeneratedId,
    entriesAdded: entriesAdded ?? stream.state.entriesAdded,
    maxDeletedId: maxDeletedId ?? stream.state.maxDeletedId,
  };
  stream.putMetadata();
  return ok;
};

export const streamEntryCommands: readonly DataCommand[] = [
  writeCommand('xadd', -5, oneKey, xadd),
  readCommand('xlen', 2, oneKey, xlen),
  readCommand('xrange', -4, oneKey, range(false)),
  readCommand('xrevrange', -4, oneKey, range(true)),
  writeCommand('xdel', -3, oneKey, xdel),
  writeCommand('xtrim', -4, oneKey, xtrim),
  writeCommand('xsetid', -3, oneKey, xsetid),
];
