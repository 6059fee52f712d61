import {
  addInt64,
  decimalBytes,
  doubleText,
  fixedDoubleText,
  negateInt64,
  parseDouble,
  parseInt64,
  parseIntegerAt,
} from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { locateString, writeString } from './string-value.js';

/** Adds to the 64-bit number that the key holds in decimal text; a missing key counts from 0. Hot. */
const incrementBy = (context: CommandContext, key: Buffer, delta: number | bigint): Reply => {
  const expireMs = locateString(context, key);
  if (expireMs === undefined) return incrementAny(context, key, delta);
  const { bytes, start, end } = context.place;
  const current = parseIntegerAt(bytes, start, end);
  const sum = current === undefined ? undefined : addInt64(current, delta);
  if (sum === undefined) return incrementAny(context, key, delta);
  writeString(context, key, decimalBytes(sum), expireMs);
  return sum;
};

/** `incrementBy` of a key that is missing, no plain string, or no number that is small. */
const incrementAny = (context: CommandContext, key: Buffer, delta: number | bigint): Reply => {
  const old = context.find(key, 'string');
  if (old instanceof ErrorReply) return old;
  const current = old === undefined ? 0 : parseInt64(old.payload);
  if (current === undefined) return refusal.notInteger;
  const sum = addInt64(current, delta);
  if (sum === undefined) return refusal.overflow;
  writeString(context, key, decimalBytes(sum), old?.expireMs ?? 0);
  return sum;
};

const incrby = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const delta = parseInt64(args[2]);
  return delta === undefined ? refusal.notInteger : incrementBy(context, args[1], delta);
};

const decrby = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const amount = parseInt64(args[2]);
  if (amount === undefined) return refusal.notInteger;
  const delta = negateInt64(amount);
  if (delta === undefined) return new ErrorReply('ERR decrement would overflow');
  return incrementBy(context, args[1], delta);
};

/**
 * The answer has the sum in full; the stored text has six decimals, as Kvrocks stores it. Counting floats
 * with more decimals loses them there as here.
 */
const incrbyfloat = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const old = context.find(key, 'string');
  if (old instanceof ErrorReply) return old;
  const current = old === undefined ? 0 : parseDouble(old.payload);
  const delta = parseDouble(args[2]);
  if (current === undefined || delta === undefined) return refusal.notFloat;
  const sum = current + delta;
  if (!Number.isFinite(sum)) return refusal.notFinite;
  writeString(context, key, Buffer.from(fixedDoubleText(sum), 'latin1'), old?.expireMs ?? 0);
  return Buffer.from(doubleText(sum), 'latin1');
};

export const countCommands: readonly DataCommand[] = [
  writeCommand('incr', 2, oneKey, (context, args) => incrementBy(context, args[1], 1)),
  writeCommand('decr', 2, oneKey, (context, args) => incrementBy(context, args[1], -1)),
  writeCommand('incrby', 3, oneKey, incrby),
  writeCommand('decrby', 3, oneKey, decrby),
  writeCommand('incrbyfloat', 3, oneKey, incrbyfloat),
];
