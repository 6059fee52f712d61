import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import { optionWord, parseInt64, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { writeString } from '../strings/string-value.js';
import { maxBitOffset } from './bit-commands.js';
import { BitmapEditor, type BitValue, createBitmap, findBits } from './bit-value.js';

type Overflow = 'WRAP' | 'SAT' | 'FAIL';

/** `u8`, `i16`: an integer of some bits at some bit offset. */
interface Field {
  readonly isSigned: boolean;
  readonly bits: number;
  readonly offset: number;
}

type Operation =
  | { readonly kind: 'get'; readonly field: Field }
  | {
      readonly kind: 'set' | 'incrby';
      readonly field: Field;
      readonly amount: bigint;
      readonly overflow: Overflow;
    };

const badType = new ErrorReply(
  'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
);
const badOffset = new ErrorReply('ERR bit offset is not an integer or out of range');

const parseField = (type: Buffer | undefined, offset: Buffer | undefined): Field | ErrorReply => {
  if (type === undefined || offset === undefined) return refusal.syntax;
  const match = /^([iu])(\d{1,2})$/i.exec(type.toString('latin1'));
  if (match === null) return badType;
  const isSigned = match[1] === 'i';
  const bits = Number(match[2]);
  if (bits < 1 || bits > (isSigned ? 64 : 63)) return badType;
  const isMultiple = offset[0] === hash;
  const number = parseInteger(isMultiple ? offset.subarray(1) : offset);
  if (number === undefined || number < 0) return badOffset;
  const at = isMultiple ? number * bits : number;
  return at + bits - 1 > maxBitOffset ? badOffset : { isSigned, bits, offset: at };
};

/** Parses the operations from `args[2]` on. */
const parseOperations = (args: readonly Buffer[]): Operation[] | ErrorReply => {
  const operations: Operation[] = [];
  let overflow: Overflow = 'WRAP';
  for (let i = 2; i < args.length; ) {
    const word = optionWord(args[i]);
    if (word === 'OVERFLOW') {
      const name = args[i + 1] === undefined ? '' : optionWord(args[i + 1]);
      if (name !== 'WRAP' && name !== 'SAT' && name !== 'FAIL')
        return new ErrorReply('ERR Invalid OVERFLOW type specified');
      overflow = name;
      i += 2;
    } else if (word === 'GET') {
      const field = parseField(args[i + 1], args[i + 2]);
      if (field instanceof ErrorReply) return field;
      operations.push({ kind: 'get', field });
      i += 3;
    } else if (word === 'SET' || word === 'INCRBY') {
      const field = parseField(args[i + 1], args[i + 2]);
      if (field instanceof ErrorReply) return field;
      if (args[i + 3] === undefined) return refusal.syntax;
      const amount = parseInt64(args[i + 3]);
      if (amount === undefined) return refusal.notInteger;
      operations.push({ kind: word === 'SET' ? 'set' : 'incrby', field, amount: BigInt(amount), overflow });
      i += 4;
    } else return refusal.syntax;
  }
  return operations;
};

/** Bytes to read and change fields in. */
interface ByteTarget {
  byteAt(index: number): number;
  setByte(index: number, byte: number): void;
}

/** A string's bytes, grown as fields behind its end are set. */
class StringBytes implements ByteTarget {
  bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = Buffer.from(bytes);
  }

  byteAt(index: number): number {
    return this.bytes[index] ?? 0;
  }

  setByte(index: number, byte: number): void {
    if (index >= this.bytes.length) this.bytes = Buffer.concat([this.bytes], index + 1);
    this.bytes[index] = byte;
  }
}

/**
 * `BITFIELD key operation …`. In a bitmap, fields lie in the stored bytes from each byte's high bit on, as
 * Kvrocks puts them; SETBIT and GETBIT number the bits of a byte from the other end.
 */
const bitfield = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const operations = parseOperations(args);
  if (operations instanceof ErrorReply) return operations;
  const key = args[1];
  const value = findBits(context, key) ?? createBitmap(context, key);
  if (value instanceof ErrorReply) return value;
  const lastByte = lastWrittenByte(operations);
  const writes = lastByte >= 0;
  if (value.metadata.type === 'string') {
    const target = new StringBytes(value.metadata.payload);
    growTo(target, lastByte);
    const replies = operations.map((operation) => apply(target, operation));
    if (writes) writeString(context, key, target.bytes, value.metadata.expireMs);
    return replies;
  }
  const editor = new BitmapEditor(context, value);
  growTo(editor, lastByte);
  const replies = operations.map((operation) => apply(editor, operation));
  if (writes) {
    context.batch.logData(encodeLogData('bitmap', LogCommand.bitfield, ...args.slice(2)));
    editor.finish();
  }
  return replies;
};

/** The last byte that an operation means to write, −1 without one. */
const lastWrittenByte = (operations: readonly Operation[]): number =>
  operations.reduce(
    (last, { kind, field }) =>
      kind === 'get' ? last : Math.max(last, Math.floor((field.offset + field.bits - 1) / 8)),
    -1,
  );

/** The value grows to hold every field to be written, even those that an overflow then keeps from it. */
const growTo = (target: ByteTarget, lastByte: number): void => {
  if (lastByte >= 0) target.setByte(lastByte, target.byteAt(lastByte));
};

const bitfieldRo = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const operations = parseOperations(args);
  if (operations instanceof ErrorReply) return operations;
  if (operations.some((operation) => operation.kind !== 'get'))
    return new ErrorReply('ERR BITFIELD_RO only supports the GET subcommand');
  const value = findBits(context, args[1]);
  if (value instanceof ErrorReply) return value;
  const target = value === undefined ? new StringBytes(Buffer.alloc(0)) : readable(context, value);
  return operations.map((operation) => apply(target, operation));
};

const readable = (context: CommandContext, value: BitValue): ByteTarget =>
  value.metadata.type === 'string'
    ? new StringBytes(value.metadata.payload)
    : new BitmapEditor(context, value);

const apply = (target: ByteTarget, operation: Operation): Reply => {
  const { field } = operation;
  const old = readField(target, field);
  if (operation.kind === 'get') return asReply(old);
  const wanted = operation.kind === 'incrby' ? old + operation.amount : amountToSet(operation.amount, field);
  const result = inRange(wanted, field, operation.overflow);
  if (result === undefined) return null;
  writeField(target, field, result);
  return asReply(operation.kind === 'set' ? old : result);
};

/** A negative number for an unsigned field stands for a huge one, as in Redis. */
const amountToSet = (amount: bigint, field: Field): bigint =>
  field.isSigned ? amount : BigInt.asUintN(64, amount);

/** The value in the field's range by the overflow rule; undefined when the rule refuses. */
const inRange = (value: bigint, field: Field, overflow: Overflow): bigint | undefined => {
  const [low, high] = field.isSigned
    ? [-(1n << BigInt(field.bits - 1)), (1n << BigInt(field.bits - 1)) - 1n]
    : [0n, (1n << BigInt(field.bits)) - 1n];
  if (value >= low && value <= high) return value;
  if (overflow === 'FAIL') return undefined;
  if (overflow === 'SAT') return value < low ? low : high;
  return field.isSigned ? BigInt.asIntN(field.bits, value) : BigInt.asUintN(field.bits, value);
};

const readField = (target: ByteTarget, field: Field): bigint => {
  let value = 0n;
  for (let bit = field.offset; bit < field.offset + field.bits; bit++) {
    const byte = target.byteAt(Math.floor(bit / 8));
    value = (value << 1n) | BigInt((byte >> (7 - (bit % 8))) & 1);
  }
  return field.isSigned ? BigInt.asIntN(field.bits, value) : value;
};

const writeField = (target: ByteTarget, field: Field, value: bigint): void => {
  for (let i = 0; i < field.bits; i++) {
    const bit = field.offset + i;
    const isSet = (value >> BigInt(field.bits - 1 - i)) & 1n;
    const mask = 0x80 >> (bit % 8);
    const old = target.byteAt(Math.floor(bit / 8));
    target.setByte(Math.floor(bit / 8), isSet === 1n ? old | mask : old & ~mask);
  }
};

const asReply = (value: bigint): number | bigint => {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
};

const hash = 0x23;

export const bitfieldCommands: readonly DataCommand[] = [
  writeCommand('bitfield', -2, oneKey, bitfield),
  readCommand('bitfield_ro', -2, oneKey, bitfieldRo),
];
