import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, writeCommand } from '../data-command.js';
import { ErrorReply, ok, type Reply, refusal } from '../reply.js';
import { findList, type ListValue } from './list-value.js';

const lset = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const index = parseClamped(args[2]);
  if (index === undefined) return refusal.notInteger;
  const list = findList(context, args[1]);
  if (list === undefined) return refusal.noSuchKey;
  if (list instanceof ErrorReply) return list;
  const position = list.positionOf(index);
  if (position === undefined) return refusal.indexOutOfRange;
  context.batch.logData(encodeLogData('list', LogCommand.lset, position - list.head));
  list.put(position, args[3]);
  return ok;
};

/**
 * `LINSERT key BEFORE|AFTER pivot element`: the shorter side moves one place outwards. Answers the new length,
 * −1 without the pivot, 0 without the key.
 */
const linsert = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const where = optionWord(args[2]);
  if (where !== 'BEFORE' && where !== 'AFTER') return refusal.syntax;
  const isBefore = where === 'BEFORE';
  const pivot = args[3];
  const element = args[4];
  const list = findList(context, args[1]);
  if (list === undefined) return 0;
  if (list instanceof ErrorReply) return list;
  const pivotAt = positionsOf(list, pivot, 1)[0];
  if (pivotAt === undefined) return -1;
  context.batch.logData(encodeLogData('list', LogCommand.linsert, isBefore ? 1 : 0, pivot, element));
  // The new element stands between `left` and `left + 1` of the old positions.
  const left = isBefore ? pivotAt - 1 : pivotAt;
  const movesLeft = left - list.head + 1 <= list.tail - 1 - left;
  if (movesLeft) {
    for (let position = left; position >= list.head; position--) list.put(position - 1, list.at(position));
    list.put(left, element);
    list.head--;
  } else {
    for (let position = left + 1; position < list.tail; position++) list.put(position + 1, list.at(position));
    list.put(left + 1, element);
    list.tail++;
  }
  list.putMetadata();
  return list.length;
};

/** `LREM key count element`: the shorter side closes the gaps; the places that fall free at its end are deleted. */
const lrem = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const count = parseClamped(args[2]);
  if (count === undefined) return refusal.notInteger;
  const element = args[3];
  const list = findList(context, args[1]);
  if (list === undefined) return 0;
  if (list instanceof ErrorReply) return list;
  const found = positionsOf(list, element, count === 0 ? Number.POSITIVE_INFINITY : count);
  if (found.length === 0) return 0;
  context.batch.logData(encodeLogData('list', LogCommand.lrem, count, element));
  if (found.length === list.length) list.deleteMetadata();
  else closeGaps(list, found);
  return found.length;
};

const closeGaps = (list: ListValue, gaps: readonly number[]): void => {
  const first = Math.min(...edges(gaps));
  const last = Math.max(...edges(gaps));
  const isGap = new Set(gaps);
  const movesLeft = last - list.head <= list.tail - 1 - first;
  if (movesLeft) {
    let target = last;
    for (let position = last; position >= list.head; position--)
      if (!isGap.has(position)) list.put(target--, list.at(position));
    for (let i = 0; i < gaps.length; i++) list.delete(list.head + i);
    list.head += gaps.length;
  } else {
    let target = first;
    for (let position = first; position < list.tail; position++)
      if (!isGap.has(position)) list.put(target++, list.at(position));
    for (let i = 0; i < gaps.length; i++) list.delete(list.tail - 1 - i);
    list.tail -= gaps.length;
  }
  list.putMetadata();
};

/** Positions found in one direction: the first and last of them are the extremes. */
const edges = (positions: readonly number[]): [number, number] => [
  positions[0],
  positions[positions.length - 1],
];

/** Up to |limit| positions of elements equal to `element`, from the tail backwards when `limit` is negative. */
const positionsOf = (list: ListValue, element: Buffer, limit: number): number[] => {
  const found: number[] = [];
  const step = limit < 0 ? -1 : 1;
  for (
    let position = limit < 0 ? list.tail - 1 : list.head;
    position >= list.head && position < list.tail && found.length < Math.abs(limit);
    position += step
  )
    if (list.at(position).equals(element)) found.push(position);
  return found;
};

/** `LTRIM key start stop` */
const ltrim = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const start = parseClamped(args[2]);
  const stop = parseClamped(args[3]);
  if (start === undefined || stop === undefined) return refusal.notInteger;
  const list = findList(context, args[1]);
  if (list === undefined) return ok;
  if (list instanceof ErrorReply) return list;
  const { length } = list;
  const from = Math.max(0, start < 0 ? length + start : start);
  const to = stop < 0 ? length + stop : stop;
  if (from > to || to < 0) {
    list.deleteMetadata();
    return ok;
  }
  context.batch.logData(encodeLogData('list', LogCommand.ltrim, from, to));
  // A start behind the tail deletes on past it, as Kvrocks does, but not without end.
  const droppedLeft = Math.min(from, length + maxPlacesBehindTail);
  const keptEnd = Math.min(list.head + to + 1, list.tail);
  // A damaged end may be said to lie anywhere, and nothing that is deleted up to there would tell.
  if (droppedLeft > 0) list.at(list.head);
  if (keptEnd < list.tail) list.at(list.tail - 1);
  for (let i = 0; i < droppedLeft; i++) list.delete(list.head + i);
  for (let position = keptEnd; position < list.tail; position++) list.delete(position);
  list.head += droppedLeft;
  list.tail = keptEnd;
  list.putMetadata();
  return ok;
};

const maxPlacesBehindTail = 16;

export const listEditCommands: readonly DataCommand[] = [
  writeCommand('lset', 4, oneKey, lset),
  writeCommand('linsert', 5, oneKey, linsert),
  writeCommand('lrem', 4, oneKey, lrem),
  writeCommand('ltrim', 4, oneKey, ltrim),
];
