import { ColumnFamily } from '../../encoding/column-family.js';
import {
  denseEncoding,
  encodeSegmentNumber,
  packSegment,
  raiseToSegment,
  readRegister,
  registerCount,
  registersPerSegment,
  segmentBytes,
  segmentCount,
  writeRegister,
} from '../../encoding/hyperloglog-encoding.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import type { CommandContext } from '../command-context.js';
import { allKeys, type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, ok, type Reply } from '../reply.js';
import { estimateCardinality } from './cardinality.js';
import { murmurHash64A } from './murmur-hash.js';

const hyperLogLogNote = encodeLogData('hyperloglog');
const hashSeed = 0xadc83b19n;
const registerBits = 14n;
const registerMask = (1n << registerBits) - 1n;

/** The segments of a HyperLogLog by number; missing ones are all zero. */
type Segments = (Buffer | undefined)[];

const readSegments = (context: CommandContext, key: Buffer, metadata: Metadata | undefined): Segments => {
  if (metadata === undefined) return [];
  const prefix = context.subKeyPrefix(key, metadata);
  return Array.from({ length: segmentCount }, (_, segment) => {
    const value = context.reader.get(
      ColumnFamily.subKeys,
      encodeInternalKey(prefix, encodeSegmentNumber(segment)),
    );
    return value?.length === segmentBytes ? Buffer.from(value) : undefined;
  });
};

/** Puts the touched segments in their order, and the metadata. */
const writeSegments = (
  context: CommandContext,
  key: Buffer,
  metadata: Metadata,
  segments: Segments,
  touched: Iterable<number>,
): void => {
  const prefix = context.subKeyPrefix(key, metadata);
  context.batch.logData(hyperLogLogNote);
  for (const segment of [...touched].sort((a, b) => a - b)) {
    const value = segments[segment];
    if (value !== undefined)
      context.batch.put(ColumnFamily.subKeys, encodeInternalKey(prefix, encodeSegmentNumber(segment)), value);
  }
  context.putMetadata(key, metadata);
};

/** Raises a register; answers whether it changed. */
const raise = (segments: Segments, register: number, value: number, touched: Set<number>): boolean => {
  const number = Math.floor(register / registersPerSegment);
  const segment = segments[number] ?? Buffer.alloc(segmentBytes);
  const place = register % registersPerSegment;
  if (readRegister(segment, place) >= value) return false;
  writeRegister(segment, place, value);
  segments[number] = segment;
  touched.add(number);
  return true;
};

/** Which register an element sets, and to what: the place of the first one behind the register's bits. */
const placeOf = (element: Buffer): { readonly register: number; readonly value: number } => {
  const hash = murmurHash64A(element, hashSeed);
  let rest = (hash >> registerBits) | (1n << 50n);
  let value = 1;
  for (; (rest & 1n) === 0n; rest >>= 1n) value++;
  return { register: Number(hash & registerMask), value };
};

const create = (context: CommandContext): Metadata => context.create('hyperloglog', Buffer.of(denseEncoding));

const pfadd = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const found = context.find(key, 'hyperloglog');
  if (found instanceof ErrorReply) return found;
  const segments = readSegments(context, key, found);
  const touched = new Set<number>();
  for (const element of args.slice(2)) {
    const { register, value } = placeOf(element);
    raise(segments, register, value, touched);
  }
  if (found !== undefined && touched.size === 0) return 0;
  writeSegments(context, key, found ?? create(context), segments, touched);
  return 1;
};

/** The largest value of each register over all keys, one a byte; a refusal when one has another type. */
const merge = (context: CommandContext, keys: readonly Buffer[]): Uint8Array | ErrorReply => {
  const registers = new Uint8Array(registerCount);
  for (const key of keys) {
    const found = context.find(key, 'hyperloglog');
    if (found instanceof ErrorReply) return found;
    for (const [number, segment] of readSegments(context, key, found).entries())
      if (segment !== undefined) raiseToSegment(registers, number, segment);
  }
  return registers;
};

const pfcount = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const merged = merge(context, args.slice(1));
  if (merged instanceof ErrorReply) return merged;
  const histogram: number[] = new Array<number>(64).fill(0);
  for (let register = 0; register < registerCount; register++) histogram[merged[register]]++;
  return estimateCardinality(histogram);
};

const pfmerge = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const merged = merge(context, args.slice(1));
  if (merged instanceof ErrorReply) return merged;
  const found = context.find(key, 'hyperloglog');
  if (found instanceof ErrorReply) return found;
  const segments = Array.from({ length: segmentCount }, (_, number) => packSegment(merged, number));
  writeSegments(context, key, found ?? create(context), segments, segments.keys());
  return ok;
};

/** Commands on HyperLogLogs. */
export const hyperLogLogCommands: readonly DataCommand[] = [
  writeCommand('pfadd', -2, oneKey, pfadd),
  readCommand('pfcount', -2, allKeys, pfcount),
  writeCommand('pfmerge', -2, allKeys, pfmerge),
];
