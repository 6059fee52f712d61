import { encodeLogData } from '../../encoding/log-data.js';
import { isExpired } from '../../encoding/metadata.js';
import { optionWord, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { expiryOfOption, isExpiryWord } from '../expiry.js';
import { ErrorReply, type Reply, refusal, wrongArity } from '../reply.js';
import { putString, readString, stringNote } from './string-value.js';
import { digestOf, meetsCondition, parseValueCondition } from './value-condition.js';

const digest = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const value = readString(context, args[1]);
  return value === undefined ? null : value instanceof ErrorReply ? value : digestOf(value);
};

/** `DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]`: without a condition of any type, as DEL. */
const delex = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length !== 2 && args.length !== 4) return wrongArity('delex');
  const key = args[1];
  if (args.length === 4) {
    const condition = parseValueCondition(optionWord(args[2]), args[3]);
    if (condition instanceof ErrorReply) return condition;
    if (condition === undefined) return refusal.syntax;
    const value = readString(context, key);
    if (value instanceof ErrorReply)
      return new ErrorReply('ERR Key should be of string type if conditions are specified');
    if (value === undefined || !meetsCondition(condition, value)) return 0;
  } else if (context.findAny(key) === undefined) return 0;
  context.batch.logData(encodeLogData(undefined));
  context.deleteMetadata(key);
  return 1;
};

interface MsetexOptions {
  readonly condition: 'always' | 'ifMissing' | 'ifPresent';
  readonly keepsExpiry: boolean;
  /** ms since the epoch, 0 = never */
  readonly expireMs: number;
}

const parseMsetexOptions = (words: readonly Buffer[], nowMs: number): MsetexOptions | ErrorReply => {
  let condition: MsetexOptions['condition'] = 'always';
  let keepsExpiry = false;
  let expireMs = 0;
  for (let i = 0; i < words.length; i++) {
    const word = optionWord(words[i]);
    if (word === 'NX' && condition === 'always') condition = 'ifMissing';
    else if (word === 'XX' && condition === 'always') condition = 'ifPresent';
    else if (word === 'KEEPTTL' && expireMs === 0) keepsExpiry = true;
    else if (isExpiryWord(word) && expireMs === 0 && !keepsExpiry) {
      const expiry = expiryOfOption('msetex', word, words[++i], nowMs);
      if (expiry instanceof ErrorReply) return expiry;
      expireMs = expiry;
    } else return refusal.syntax;
  }
  return { condition, keepsExpiry, expireMs };
};

/** `MSETEX numkeys key value … [NX|XX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`: 1, or 0 where the condition was not met. */
const msetex = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const count = parseInteger(args[1]);
  if (count === undefined || count < 1) return new ErrorReply('ERR invalid numkeys value');
  const pairsEnd = 2 + 2 * count;
  if (pairsEnd > args.length) return new ErrorReply('ERR wrong number of key-value pairs');
  const nowMs = context.nowMs();
  const options = parseMsetexOptions(args.slice(pairsEnd), nowMs);
  if (options instanceof ErrorReply) return options;
  if (options.condition !== 'always') {
    const wantsPresent = options.condition === 'ifPresent';
    for (let i = 2; i < pairsEnd; i += 2)
      if ((context.findAny(args[i]) !== undefined) !== wantsPresent) return 0;
  }
  // A time in the past is written as such, as EXPIRE does: the log tells why the keys are gone.
  const expireMs = isExpired(options.expireMs, nowMs + 1) ? nowMs - 1 : options.expireMs;
  context.batch.logData(stringNote);
  for (let i = 2; i < pairsEnd; i += 2) {
    const key = args[i];
    const kept = options.keepsExpiry ? (context.findAny(key)?.expireMs ?? 0) : expireMs;
    putString(context, key, args[i + 1], kept);
  }
  return 1;
};

export const conditionalCommands: readonly DataCommand[] = [
  readCommand('digest', 2, oneKey, digest),
  writeCommand('delex', -2, oneKey, delex),
  writeCommand('msetex', -4, { first: 0, last: 0, step: 2, numbered: 1 }, msetex),
];
