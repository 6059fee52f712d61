import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import {
  blockingCommand,
  type DataCommand,
  numberedKeys,
  oneKey,
  waitsSecondsAt,
  writeCommand,
} from '../data-command.js';
import { parseMultiPop } from '../multi-pop.js';
import { ErrorReply, nullArray, type Reply, refusal, wrongArity } from '../reply.js';
import { findList, findOrCreateList, type ListSide, type ListValue } from './list-value.js';

const pushNote = {
  left: encodeLogData('list', LogCommand.lpush),
  right: encodeLogData('list', LogCommand.rpush),
};
const popNote = {
  left: encodeLogData('list', LogCommand.lpop),
  right: encodeLogData('list', LogCommand.rpop),
};

const push =
  (side: ListSide, createsKey: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const key = args[1];
    const list = createsKey ? findOrCreateList(context, key) : findList(context, key);
    if (list === undefined) return 0;
    if (list instanceof ErrorReply) return list;
    context.batch.logData(pushNote[side]);
    for (let i = 2; i < args.length; i++) list.push(side, args[i]);
    list.putMetadata();
    return list.length;
  };

/** Takes up to `count` elements from one end; the list has at least one. */
const popSome = (context: CommandContext, list: ListValue, side: ListSide, count: number): Buffer[] => {
  context.batch.logData(popNote[side]);
  const elements: Buffer[] = [];
  while (elements.length < count && list.length > 0) elements.push(list.pop(side));
  list.finish();
  return elements;
};

/** Takes one element; the list has at least one. */
const popOne = (context: CommandContext, list: ListValue, side: ListSide): Reply => {
  context.batch.logData(popNote[side]);
  const element = list.popBriefly(side);
  list.finish();
  return element;
};

/** `LPOP key [count]` */
const pop =
  (side: ListSide) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    if (args.length > 3) return wrongArity(side === 'left' ? 'lpop' : 'rpop');
    const count = args.length === 3 ? parseClamped(args[2]) : 1;
    if (count === undefined || count < 0) return refusal.notPositive;
    const list = findList(context, args[1]);
    if (list instanceof ErrorReply) return list;
    if (list === undefined) return args.length === 3 ? nullArray : null;
    if (args.length === 2) return popOne(context, list, side);
    return count === 0 ? [] : popSome(context, list, side, count);
  };

/** The first of the keys that holds a list with elements. */
const firstList = (
  context: CommandContext,
  keys: readonly Buffer[],
): { readonly key: Buffer; readonly list: ListValue } | undefined | ErrorReply => {
  for (const key of keys) {
    const list = findList(context, key);
    if (list instanceof ErrorReply) return list;
    if (list !== undefined) return { key, list };
  }
  return undefined;
};

/** `BLPOP key [key …] timeout` */
const blockingPop =
  (side: ListSide) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const found = firstList(context, args.slice(1, -1));
    if (found === undefined) return nullArray;
    if (found instanceof ErrorReply) return found;
    return [Buffer.from(found.key), ...popSome(context, found.list, side, 1)];
  };

/** `LMPOP numkeys key [key …] LEFT|RIGHT [COUNT n]`, its keys from `args[at + 1]` on. */
const multiPop =
  (at: number) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const wanted = parseMultiPop(args, at, sides);
    if (wanted instanceof ErrorReply) return wanted;
    const found = firstList(context, wanted.keys);
    if (found === undefined) return nullArray;
    if (found instanceof ErrorReply) return found;
    return [Buffer.from(found.key), popSome(context, found.list, wanted.end, wanted.count)];
  };

const sides: ReadonlyMap<string, ListSide> = new Map([
  ['LEFT', 'left'],
  ['RIGHT', 'right'],
]);

/** LEFT or RIGHT in any case. */
export const sideOf = (word: Buffer): ListSide | undefined => sides.get(optionWord(word));

const keysBeforeTimeout = { first: 1, last: -2, step: 1 };

export const pushPopCommands: readonly DataCommand[] = [
  writeCommand('lpush', -3, oneKey, push('left', true)),
  writeCommand('rpush', -3, oneKey, push('right', true)),
  writeCommand('lpushx', -3, oneKey, push('left', false)),
  writeCommand('rpushx', -3, oneKey, push('right', false)),
  writeCommand('lpop', -2, oneKey, pop('left')),
  writeCommand('rpop', -2, oneKey, pop('right')),
  writeCommand('lmpop', -4, numberedKeys(1), multiPop(1)),
  blockingCommand('blpop', -3, keysBeforeTimeout, waitsSecondsAt(-1, 'list'), blockingPop('left')),
  blockingCommand('brpop', -3, keysBeforeTimeout, waitsSecondsAt(-1, 'list'), blockingPop('right')),
  blockingCommand('blmpop', -5, numberedKeys(2), waitsSecondsAt(1, 'list'), multiPop(2)),
];
