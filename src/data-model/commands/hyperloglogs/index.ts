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
const noSegment = Buffer.alloc(segmentBytes);
const registerBits = 14n;
const registerMask = (1n << registerBits) - 1n;

/** The segments of a HyperLogLog by number; missing ones are all zero. */
type Segments = (Buffer | undefined)[];

/** Reads a segment of a HyperLogLog that may be missing. Borrowed. */
const segmentReader = (
  context: CommandContext,
  key: Buffer,
  metadata: Metadata | undefined,
): ((number: number) => Buffer | undefined) => {
  if (metadata === undefined) return () => undefined;
  const prefix = context.subKeyPrefix(key, metadata);
  return (number) => {
    const value = context.reader.get(
      ColumnFamily.subKeys,
      encodeInternalKey(prefix, encodeSegmentNumber(number)),
    );
    return value?.length === segmentBytes ? value : undefined;
  };
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
  const read = segmentReader(context, key, found);
  const segments: Segments = [];
  const touched = new Set<number>();
  for (const element of args.slice(2)) {
    const { register, value } = placeOf(element);
    const number = Math.floor(register / registersPerSegment);
    const place = register % registersPerSegment;
    segments[number] ??= Buffer.from(read(number) ?? noSegment);
    if (readRegister(segments[number], place) >= value) continue;
    writeRegister(segments[number], place, value);
    touched.add(number);
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
    const read = segmentReader(context, key, found);
    for (let number = 0; number < segmentCount; number++) {
      const segment = read(number);
      if (segment !== undefined) raiseToSegment(registers, number, segment);
    }
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
