import { bitmapFragmentBytes } from '../../encoding/bitmap-encoding.js';
import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import { optionWord, parseClamped, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { writeString } from '../strings/string-value.js';
import {
  BitmapEditor,
  type BitValue,
  createBitmap,
  fewBytes,
  findBits,
  readBits,
  storedFragments,
} from './bit-value.js';

/** Bits are numbered to 2^32 − 1, as in Redis. */
export const maxBitOffset = 0xffff_ffff;

const notBitOffset = new ErrorReply('ERR bit offset is not an integer or out of range');
const notBit = new ErrorReply('ERR bit is not an integer or out of range');

const parseBitOffset = (bytes: Buffer): number | ErrorReply => {
  const offset = parseInteger(bytes);
  return offset === undefined || offset < 0 || offset > maxBitOffset ? notBitOffset : offset;
};

/** `SETBIT key offset 0|1`: a new key becomes a bitmap, a string stays a string. */
const setbit = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const offset = parseBitOffset(args[2]);
  if (offset instanceof ErrorReply) return offset;
  const bit = parseInteger(args[3]);
  if (bit !== 0 && bit !== 1) return notBit;
  const key = args[1];
  const value = findBits(context, key) ?? createBitmap(context, key);
  if (value instanceof ErrorReply) return value;
  const at = Math.floor(offset / 8);
  if (value.metadata.type === 'string') return setStringBit(context, value, at, 0x80 >> (offset % 8), bit);
  const editor = new BitmapEditor(context, value);
  const mask = 1 << (offset % 8);
  const old = editor.byteAt(at);
  editor.setByte(at, bit === 1 ? old | mask : old & ~mask);
  context.batch.logData(encodeLogData('bitmap', LogCommand.setbit, offset));
  editor.finish();
  return (old & mask) === 0 ? 0 : 1;
};

const setStringBit = (
  context: CommandContext,
  value: BitValue,
  at: number,
  mask: number,
  bit: number,
): number => {
  const bytes = Buffer.alloc(Math.max(value.length, at + 1));
  bytes.set(value.metadata.payload, 0);
  const old = bytes[at];
  bytes[at] = bit === 1 ? old | mask : old & ~mask;
  writeString(context, value.key, bytes, value.metadata.expireMs);
  return (old & mask) === 0 ? 0 : 1;
};

const getbit = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const offset = parseBitOffset(args[2]);
  if (offset instanceof ErrorReply) return offset;
  const value = findBits(context, args[1]);
  if (value instanceof ErrorReply) return value;
  const at = Math.floor(offset / 8);
  if (value === undefined || at >= value.length) return 0;
  return ((readBits(context, value, at, at + 1)[0] ?? 0) >> (7 - (offset % 8))) & 1;
};

/**
 * A range of bits, both ends in it. `hasEnd`: the client named its end. `isBackwards`: both ends count from the
 * value's end and the first lies behind the last; a short value would hide that.
 */
interface BitRange {
  readonly first: number;
  readonly last: number;
  readonly hasEnd: boolean;
  readonly isBackwards: boolean;
}

/** Parses `[start [end [BYTE|BIT]]]` from `args[at]` on, over a value of `length` bytes. */
const parseBitRange = (args: readonly Buffer[], at: number, length: number): BitRange | ErrorReply => {
  const unitWord = args[at + 2] === undefined ? 'BYTE' : optionWord(args[at + 2]);
  if (args.length > at + 3 || (unitWord !== 'BYTE' && unitWord !== 'BIT')) return refusal.syntax;
  const start = args[at] === undefined ? 0 : parseClamped(args[at]);
  const end = args[at + 1] === undefined ? -1 : parseClamped(args[at + 1]);
  if (start === undefined || end === undefined) return refusal.notInteger;
  const isBits = unitWord === 'BIT';
  const units = isBits ? length * 8 : length;
  const from = Math.max(0, start < 0 ? units + start : start);
  const to = Math.min(units - 1, Math.max(0, end < 0 ? units + end : end));
  return {
    first: isBits ? from : from * 8,
    last: isBits || to < 0 ? to : to * 8 + 7,
    hasEnd: args.length > at + 1,
    isBackwards: start < 0 && end < 0 && start > end,
  };
};

/**
 * Calls `visit` with windows of the range's bytes, bits outside the range cleared to `outside`. Where zeros outside of it do
 * not matter, neither do those inside: what was never written of a long bitmap is left out.
 */
const forEachWindow = (
  context: CommandContext,
  value: BitValue,
  range: BitRange,
  outside: 0 | 1,
  visit: (bytes: Buffer, start: number) => boolean,
): void => {
  const firstByte = Math.floor(range.first / 8);
  const endByte = Math.floor(range.last / 8) + 1;
  const visitWindow = (start: number, end: number): boolean => {
    const bytes = readBits(context, value, start, end);
    const before = range.first - start * 8;
    if (before > 0) bytes[0] = masked(bytes[0], 0xff00 >> before, outside);
    const behind = end * 8 - 1 - range.last;
    if (behind > 0) bytes[bytes.length - 1] = masked(bytes[bytes.length - 1], (1 << behind) - 1, outside);
    return visit(bytes, start);
  };
  const isSparse = outside === 0 && value.metadata.type === 'bitmap';
  const denseEnd = isSparse ? Math.min(endByte, firstByte + fewBytes) : endByte;
  for (let start = firstByte; start < denseEnd; start += windowBytes)
    if (!visitWindow(start, Math.min(denseEnd, start + windowBytes))) return;
  if (denseEnd === endByte) return;
  for (const fragment of storedFragments(context, value)) {
    const start = Math.max(denseEnd, fragment);
    const end = Math.min(endByte, fragment + bitmapFragmentBytes);
    if (start < end && !visitWindow(start, end)) return;
  }
};

const masked = (byte: number, mask: number, outside: 0 | 1): number =>
  outside === 0 ? byte & ~mask : byte | mask;

const windowBytes = 4096;

const bitcount = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length === 3) return refusal.syntax;
  const value = findBits(context, args[1]);
  if (value instanceof ErrorReply) return value;
  const range = parseBitRange(args, 2, value?.length ?? 0);
  if (range instanceof ErrorReply) return range;
  let count = 0;
  if (value !== undefined && !range.isBackwards && range.first <= range.last)
    forEachWindow(context, value, range, 0, (bytes) => {
      count += countBits(bytes);
      return true;
    });
  return count;
};

/** `BITPOS key bit [start [end [BYTE|BIT]]]`; without an end, zeros are taken to follow the value. */
const bitpos = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const bit = parseInteger(args[2]);
  if (bit === undefined) return refusal.notInteger;
  if (bit !== 0 && bit !== 1) return new ErrorReply('ERR The bit argument must be 1 or 0.');
  const value = findBits(context, args[1]);
  if (value instanceof ErrorReply) return value;
  const range = parseBitRange(args, 3, value?.length ?? 0);
  if (range instanceof ErrorReply) return range;
  if (value === undefined) return bit === 1 ? -1 : 0;
  if (range.first > range.last) return -1;
  let found = -1;
  const skip = bit === 1 ? 0x00 : 0xff;
  forEachWindow(context, value, range, bit === 1 ? 0 : 1, (bytes, start) => {
    let at = 0; // a call for each byte would take ten times as long
    while (at < bytes.length && bytes[at] === skip) at++;
    if (at === bytes.length) return true;
    const byte = bit === 1 ? bytes[at] : ~bytes[at] & 0xff;
    found = (start + at) * 8 + Math.clz32(byte) - 24;
    return false;
  });
  return found < 0 && bit === 0 && !range.hasEnd ? value.length * 8 : found;
};

/** In a loop of its own: `for … of` takes five times as long. */
const countBits = (bytes: Buffer): number => {
  let count = 0;
  for (let at = 0; at < bytes.length; at++) count += bitsInByte[bytes[at]];
  return count;
};

const bitsInByte = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

export const bitCommands: readonly DataCommand[] = [
  writeCommand('setbit', 4, oneKey, setbit),
  readCommand('getbit', 3, oneKey, getbit),
  readCommand('bitcount', -2, oneKey, bitcount),
  readCommand('bitpos', -3, oneKey, bitpos),
];
