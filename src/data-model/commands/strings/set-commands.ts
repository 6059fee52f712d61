import { encodeLogData } from '../../encoding/log-data.js';
import { isExpired, type Metadata } from '../../encoding/metadata.js';
import { readBits } from '../bitmaps/bit-value.js';
import type { CommandContext } from '../command-context.js';
import { allKeys, type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { expiryOfCommand, expiryOfOption } from '../expiry.js';
import { ErrorReply, ok, type Reply, refusal, wrongArity } from '../reply.js';
import { parseGetexOptions, parseSetOptions } from './set-options.js';
import { locateString, putString, readString, stringNote, writeString } from './string-value.js';
import { meetsCondition } from './value-condition.js';

const anyTypeNote = encodeLogData(undefined);

/** `SET key value …`. Hot: without options nothing is read, nothing is allocated. */
const set = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const value = args[2];
  if (args.length === 3) {
    writeString(context, key, value, 0);
    return ok;
  }
  const nowMs = context.nowMs();
  const options = parseSetOptions(args, nowMs);
  if (options instanceof ErrorReply) return options;
  const { valueCondition } = options;
  const needsOld =
    options.condition !== 'always' ||
    valueCondition !== undefined ||
    options.answersOld ||
    options.keepsExpiry;
  const old = needsOld ? context.findAny(key) : undefined;
  const needsString = options.answersOld || valueCondition !== undefined;
  if (needsString && old !== undefined && old.type !== 'string') return refusal.wrongType;
  const answer = options.answersOld ? (old === undefined ? null : Buffer.from(old.payload)) : ok;
  if (options.condition === 'ifMissing' && old !== undefined) return options.answersOld ? answer : null;
  if (options.condition === 'ifPresent' && old === undefined) return null;
  if (valueCondition !== undefined && !meetsCondition(valueCondition, old?.payload))
    return options.answersOld ? answer : null;
  const expireMs = options.keepsExpiry ? (old?.expireMs ?? 0) : options.expireMs;
  if (isExpired(expireMs, nowMs)) removeKey(context, key);
  else writeString(context, key, value, expireMs);
  return answer;
};

/** `GET key`: a bitmap is answered as the string that Redis would have. Hot. */
const get = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  if (locateString(context, key) !== undefined) return context.place;
  const metadata = context.findAny(key);
  if (metadata === undefined) return null;
  if (metadata.type === 'string') return metadata.payload;
  if (metadata.type !== 'bitmap') return refusal.wrongType;
  if (metadata.size > maxBitmapAsStringBytes) return refusal.tooLong;
  return readBits(context, { key, metadata, length: metadata.size }, 0, metadata.size);
};

/** A bitmap above this is not answered as a string, as in Kvrocks by default. */
const maxBitmapAsStringBytes = 16 * 1024 * 1024;

const setWithTtl =
  (command: string, isSeconds: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const expireMs = expiryOfCommand(command, args[2], isSeconds, context.nowMs());
    if (expireMs instanceof ErrorReply) return expireMs;
    writeString(context, args[1], args[3], expireMs);
    return ok;
  };

const setnx = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  if (context.findAny(key) !== undefined) return 0;
  writeString(context, key, args[2], 0);
  return 1;
};

const mget = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const values: Reply[] = [];
  for (let i = 1; i < args.length; i++) {
    const metadata = context.findAny(args[i]);
    values.push(metadata?.type === 'string' ? metadata.payload : null);
  }
  return values;
};

const mset = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length % 2 === 0) return wrongArity('mset');
  putPairs(context, args);
  return ok;
};

const msetnx = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length % 2 === 0) return wrongArity('msetnx');
  for (let i = 1; i < args.length; i += 2) if (context.findAny(args[i]) !== undefined) return 0;
  putPairs(context, args);
  return 1;
};

const putPairs = (context: CommandContext, args: readonly Buffer[]): void => {
  context.batch.logData(stringNote);
  for (let i = 1; i < args.length; i += 2) putString(context, args[i], args[i + 1], 0);
};

const getset = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const old = readString(context, key);
  if (old instanceof ErrorReply) return old;
  const answer = old === undefined ? null : Buffer.from(old);
  writeString(context, key, args[2], 0);
  return answer;
};

const getdel = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const old = readString(context, key);
  if (old === undefined) return null;
  if (old instanceof ErrorReply) return old;
  const answer = Buffer.from(old);
  context.deleteMetadata(key);
  return answer;
};

const getex = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const action = parseGetexOptions(args);
  if (action instanceof ErrorReply) return action;
  const old = context.find(key, 'string');
  if (old === undefined) return null;
  if (old instanceof ErrorReply) return old;
  const answer = Buffer.from(old.payload);
  if (action.kind === 'keep') return answer;
  const expireMs =
    action.kind === 'expire' ? expiryOfOption('getex', action.word, action.amount, context.nowMs()) : 0;
  if (expireMs instanceof ErrorReply) return expireMs;
  if (expireMs !== old.expireMs) writeExpiry(context, key, old, expireMs);
  return answer;
};

const writeExpiry = (context: CommandContext, key: Buffer, old: Metadata, expireMs: number): void => {
  if (isExpired(expireMs, context.nowMs())) removeKey(context, key);
  else writeString(context, key, old.payload, expireMs);
};

/** `CAS key old new [EX …]`, Kvrocks' compare and set: 1 set, 0 another value, −1 no key. */
const cas = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const options = parseSetOptions(args.slice(1), context.nowMs());
  if (options instanceof ErrorReply) return options;
  if (options.condition !== 'always' || options.valueCondition !== undefined) return refusal.syntax;
  if (options.answersOld || options.keepsExpiry) return refusal.syntax;
  const current = readString(context, key);
  if (current === undefined) return -1;
  if (current instanceof ErrorReply) return current;
  if (!current.equals(args[2])) return 0;
  writeString(context, key, args[3], options.expireMs);
  return 1;
};

/** `CAD key value`, Kvrocks' compare and delete: 1 deleted, 0 another value, −1 no key. */
const cad = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const current = readString(context, key);
  if (current === undefined) return -1;
  if (current instanceof ErrorReply) return current;
  if (!current.equals(args[2])) return 0;
  context.deleteMetadata(key);
  return 1;
};

const removeKey = (context: CommandContext, key: Buffer): void => {
  if (context.findAny(key) === undefined) return;
  context.batch.logData(anyTypeNote);
  context.deleteMetadata(key);
};

const pairs = { first: 1, last: -1, step: 2 };

export const setCommands: readonly DataCommand[] = [
  readCommand('get', 2, oneKey, get),
  readCommand('mget', -2, allKeys, mget),
  writeCommand('set', -3, oneKey, set),
  writeCommand('setex', 4, oneKey, setWithTtl('setex', true)),
  writeCommand('psetex', 4, oneKey, setWithTtl('psetex', false)),
  writeCommand('setnx', 3, oneKey, setnx),
  writeCommand('mset', -3, pairs, mset),
  writeCommand('msetnx', -3, pairs, msetnx),
  writeCommand('getset', 3, oneKey, getset),
  writeCommand('getdel', 2, oneKey, getdel),
  writeCommand('getex', -2, oneKey, getex),
  writeCommand('cas', -4, oneKey, cas),
  writeCommand('cad', 3, oneKey, cad),
];
