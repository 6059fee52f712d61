import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import type { CommandContext } from '../command-context.js';
import {
  blockingCommand,
  type DataCommand,
  twoKeys,
  type Wait,
  waitsSecondsAt,
  writeCommand,
} from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { findList, findOrCreateList, type ListSide } from './list-value.js';
import { sideOf } from './push-pop-commands.js';

/** Moves one element from an end of `from` to an end of `to`; answers it, or null when there is none. */
const moveElement = (
  context: CommandContext,
  from: Buffer,
  to: Buffer,
  fromSide: ListSide,
  toSide: ListSide,
): Reply => {
  const source = findList(context, from);
  if (source instanceof ErrorReply) return source;
  const isSame = from.equals(to);
  const target = isSame ? source : findOrCreateList(context, to);
  if (source === undefined) return null;
  if (target === undefined || target instanceof ErrorReply) return target ?? null;
  if (isSame && (source.length === 1 || fromSide === toSide))
    return Buffer.from(source.at(fromSide === 'left' ? source.head : source.tail - 1));
  context.batch.logData(encodeLogData('list', LogCommand.lmove, from, to, fromSide, toSide));
  const element = source.pop(fromSide);
  if (!isSame) source.finish();
  target.push(toSide, element);
  target.putMetadata();
  return element;
};

const lmove = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const fromSide = sideOf(args[3]);
  const toSide = sideOf(args[4]);
  if (fromSide === undefined || toSide === undefined) return refusal.syntax;
  return moveElement(context, args[1], args[2], fromSide, toSide);
};

const rpoplpush = (context: CommandContext, args: readonly Buffer[]): Reply =>
  moveElement(context, args[1], args[2], 'right', 'left');

const waitsForSource = (position: number): Wait => ({
  ...waitsSecondsAt(position, 'list'),
  keysOf: (args) => [args[1]],
});

export const moveCommands: readonly DataCommand[] = [
  writeCommand('lmove', 5, twoKeys, lmove),
  writeCommand('rpoplpush', 3, twoKeys, rpoplpush),
  blockingCommand('blmove', 6, twoKeys, waitsForSource(5), lmove),
  blockingCommand('brpoplpush', 4, twoKeys, waitsForSource(3), rpoplpush),
];
