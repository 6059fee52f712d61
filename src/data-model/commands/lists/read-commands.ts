import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { findList, type ListValue } from './list-value.js';

const llen = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.find(args[1], 'list');
  return metadata instanceof ErrorReply ? metadata : (metadata?.size ?? 0);
};

const lindex = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const index = parseClamped(args[2]);
  if (index === undefined) return refusal.notInteger;
  const list = findList(context, args[1]);
  if (list === undefined) return null;
  if (list instanceof ErrorReply) return list;
  const position = list.positionOf(index);
  return position === undefined ? null : list.at(position);
};

const lrange = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const start = parseClamped(args[2]);
  const stop = parseClamped(args[3]);
  if (start === undefined || stop === undefined) return refusal.notInteger;
  const list = findList(context, args[1]);
  if (list === undefined) return [];
  if (list instanceof ErrorReply) return list;
  const from = Math.max(list.head, (start < 0 ? list.tail : list.head) + start);
  const to = Math.min(list.tail - 1, (stop < 0 ? list.tail : list.head) + stop);
  return list.elements(from, to);
};

interface PositionSearch {
  /** which match to begin with, 1 = the first; negative from the tail */
  readonly rank: number;
  /** how many to answer, 0 = all; undefined = one, not as an array */
  readonly count: number | undefined;
  /** how many elements to look at, 0 = all */
  readonly maxLength: number;
}

/** `LPOS key element [RANK r] [COUNT n] [MAXLEN n]` */
const lpos = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const search = parsePositionSearch(args);
  if (search instanceof ErrorReply) return search;
  const list = findList(context, args[1]);
  if (list instanceof ErrorReply) return list;
  const found = list === undefined ? [] : searchPositions(list, args[2], search);
  return search.count === undefined ? (found[0] ?? null) : found;
};

const parsePositionSearch = (args: readonly Buffer[]): PositionSearch | ErrorReply => {
  let rank = 1;
  let count: number | undefined;
  let maxLength = 0;
  for (let i = 3; i < args.length; i += 2) {
    const word = optionWord(args[i]);
    const amount = args[i + 1] === undefined ? undefined : parseClamped(args[i + 1]);
    if (args[i + 1] === undefined) return refusal.syntax;
    if (amount === undefined) return refusal.notInteger;
    if (word === 'RANK') {
      if (amount === 0)
        return new ErrorReply(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        );
      rank = amount;
    } else if (word === 'COUNT') {
      if (amount < 0) return new ErrorReply("ERR COUNT can't be negative");
      count = amount;
    } else if (word === 'MAXLEN') {
      if (amount < 0) return new ErrorReply("ERR MAXLEN can't be negative");
      maxLength = amount;
    } else return refusal.syntax;
  }
  return { rank, count, maxLength };
};

const searchPositions = (list: ListValue, element: Buffer, search: PositionSearch): number[] => {
  const found: number[] = [];
  const step = search.rank < 0 ? -1 : 1;
  const wanted =
    search.count === undefined ? 1 : search.count === 0 ? Number.POSITIVE_INFINITY : search.count;
  const looks = search.maxLength === 0 ? list.length : Math.min(list.length, search.maxLength);
  let skips = Math.abs(search.rank) - 1;
  for (let looked = 0; looked < looks && found.length < wanted; looked++) {
    const position = step > 0 ? list.head + looked : list.tail - 1 - looked;
    if (!list.at(position).equals(element)) continue;
    if (skips > 0) skips--;
    else found.push(position - list.head);
  }
  return found;
};

export const listReadCommands: readonly DataCommand[] = [
  readCommand('llen', 2, oneKey, llen),
  readCommand('lindex', 3, oneKey, lindex),
  readCommand('lrange', 4, oneKey, lrange),
  readCommand('lpos', -3, oneKey, lpos),
];
