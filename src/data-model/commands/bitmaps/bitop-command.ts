import { bitmapFragmentBytes, encodeFragmentOffset, reverseBits } from '../../encoding/bitmap-encoding.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import { optionWord } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import {
  type BitValue,
  createBitmap,
  FragmentReader,
  fewBytes,
  findBits,
  storedFragments,
} from './bit-value.js';

type BitOperation = 'AND' | 'OR' | 'XOR' | 'NOT';

/** `BITOP AND|OR|XOR|NOT target source [source …]`: the target becomes a bitmap, fragment by fragment. */
const bitop = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const operation = optionWord(args[1]);
  if (!isBitOperation(operation)) return refusal.syntax;
  const target = args[2];
  const sources = args.slice(3);
  if (operation === 'NOT' && sources.length !== 1)
    return new ErrorReply('ERR BITOP NOT must be called with a single source key.');
  const values: (BitValue | undefined)[] = [];
  for (const source of sources) {
    const value = findBits(context, source);
    if (value instanceof ErrorReply) return value;
    values.push(value);
  }
  const length = Math.max(0, ...values.map((value) => value?.length ?? 0));
  context.batch.logData(encodeLogData('bitmap', LogCommand.bitop, operation, ...sources));
  if (length === 0) {
    if (context.findAny(target) !== undefined) context.deleteMetadata(target);
    return 0;
  }
  const result = createBitmap(context, target);
  const prefix = context.subKeyPrefix(target, result.metadata);
  const readers = values.map((value) => fragmentsOf(context, value));
  for (const start of fragmentStarts(context, operation, values, length)) {
    const bytes = Math.min(bitmapFragmentBytes, length - start);
    const fragment = combine(
      operation,
      readers.map((read) => read(start)),
      bytes,
    );
    if (fragment === undefined) continue;
    context.batch.put(ColumnFamily.subKeys, encodeInternalKey(prefix, encodeFragmentOffset(start)), fragment);
  }
  context.putMetadata(target, { ...result.metadata, size: length });
  return length;
};

const isBitOperation = (word: string): word is BitOperation =>
  word === 'AND' || word === 'OR' || word === 'XOR' || word === 'NOT';

/** Where the fragments of the result begin, in order, but for those that have nothing but zeros in all sources. */
const fragmentStarts = (
  context: CommandContext,
  operation: BitOperation,
  values: readonly (BitValue | undefined)[],
  length: number,
): Iterable<number> => {
  const present = values.filter((value) => value !== undefined);
  const isSparse = length > fewBytes && present.every(({ metadata }) => metadata.type === 'bitmap');
  if (!isSparse || operation === 'NOT') return allFragments(length);
  const starts = new Set(present.flatMap((value) => [...storedFragments(context, value)]));
  return Float64Array.from(starts).sort();
};

function* allFragments(length: number): Generator<number, void> {
  for (let start = 0; start < length; start += bitmapFragmentBytes) yield start;
}

/** Reads fragments in the bitmaps' bit order, of strings as well. */
const fragmentsOf = (
  context: CommandContext,
  value: BitValue | undefined,
): ((start: number) => Buffer | undefined) => {
  if (value === undefined) return () => undefined;
  if (value.metadata.type === 'bitmap') {
    const reader = new FragmentReader(context, value);
    return (start) => reader.at(start);
  }
  const { payload } = value.metadata;
  return (start) =>
    start < payload.length ? reverseBits(payload.subarray(start, start + bitmapFragmentBytes)) : undefined;
};

/** One fragment of the result; undefined when it has nothing but zeros because no source has it. */
const combine = (
  operation: BitOperation,
  fragments: readonly (Buffer | undefined)[],
  bytes: number,
): Buffer | undefined => {
  if (operation === 'NOT') return inverted(fragments[0], bytes);
  const present = fragments.filter((fragment) => fragment !== undefined);
  if (present.length === 0 || (operation === 'AND' && present.length < fragments.length)) return undefined;
  const result = Buffer.alloc(Math.max(...present.map((fragment) => fragment.length)));
  result.set(present[0]);
  for (const other of present.slice(1)) merge(operation, result, other);
  return result;
};

const inverted = (source: Buffer | undefined, bytes: number): Buffer => {
  const result = Buffer.alloc(bytes, 0xff);
  const end = Math.min(bytes, source?.length ?? 0);
  if (source !== undefined) for (let i = 0; i < end; i++) result[i] = ~source[i];
  return result;
};

/** A loop for each operation, over what both have: a question for each byte would take several times as long. */
const merge = (operation: 'AND' | 'OR' | 'XOR', result: Buffer, other: Buffer): void => {
  const { length } = other;
  if (operation === 'AND') {
    for (let i = 0; i < length; i++) result[i] &= other[i];
    result.fill(0, length);
  } else if (operation === 'OR') for (let i = 0; i < length; i++) result[i] |= other[i];
  else for (let i = 0; i < length; i++) result[i] ^= other[i];
};

export const bitopCommands: readonly DataCommand[] = [
  writeCommand('bitop', -4, { first: 2, last: -1, step: 1 }, bitop),
];
