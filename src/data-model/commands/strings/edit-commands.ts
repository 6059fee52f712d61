import { parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { maxStringBytes, readString, writeString } from './string-value.js';

const append = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const tail = args[2];
  const old = context.find(key, 'string');
  if (old instanceof ErrorReply) return old;
  if (old === undefined) {
    writeString(context, key, tail, 0);
    return tail.length;
  }
  const length = old.payload.length + tail.length;
  if (length > maxStringBytes) return refusal.tooLong;
  writeString(context, key, Buffer.concat([old.payload, tail], length), old.expireMs);
  return length;
};

const strlen = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const value = readString(context, args[1]);
  return value === undefined ? 0 : value instanceof ErrorReply ? value : value.length;
};

const getrange = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const start = parseClamped(args[2]);
  const end = parseClamped(args[3]);
  if (start === undefined || end === undefined) return refusal.notInteger;
  const value = readString(context, args[1]);
  if (value instanceof ErrorReply) return value;
  if (value === undefined || (start < 0 && end < 0 && start > end)) return empty;
  const from = Math.max(0, start < 0 ? value.length + start : start);
  const to = Math.min(value.length - 1, Math.max(0, end < 0 ? value.length + end : end));
  return from > to ? empty : value.subarray(from, to + 1);
};

const setrange = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const patch = args[3];
  const offset = parseClamped(args[2]);
  if (offset === undefined) return refusal.notInteger;
  if (offset < 0) return refusal.offsetOutOfRange;
  const old = context.find(key, 'string');
  if (old instanceof ErrorReply) return old;
  const oldLength = old?.payload.length ?? 0;
  if (patch.length === 0) return oldLength;
  if (offset + patch.length > maxStringBytes) return refusal.tooLong;
  const value = Buffer.alloc(Math.max(oldLength, offset + patch.length));
  if (old !== undefined) value.set(old.payload, 0);
  value.set(patch, offset);
  writeString(context, key, value, old?.expireMs ?? 0);
  return value.length;
};

const empty = Buffer.alloc(0);

export const editCommands: readonly DataCommand[] = [
  writeCommand('append', 3, oneKey, append),
  readCommand('strlen', 2, oneKey, strlen),
  readCommand('getrange', 4, oneKey, getrange),
  readCommand('substr', 4, oneKey, getrange),
  writeCommand('setrange', 4, oneKey, setrange),
];
