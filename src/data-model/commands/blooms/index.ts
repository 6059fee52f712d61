import { xxHash64 } from '../../../bytes/index.js';
import {
  type BloomChain,
  encodeBloomChain,
  encodeFilterIndex,
  readBloomChain,
} from '../../encoding/bloom-encoding.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import { optionWord, parseDouble, parseInteger } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, mapReply, ok, type Reply, refusal } from '../reply.js';
import { filterBytesFor, insertHash, maxFilterBytes, mayContain } from './block-split-filter.js';

const createNote = encodeLogData('bloom', 'createBloomChain');
const insertNote = encodeLogData('bloom', 'insert');

/** What BF.ADD makes when there is no filter yet. */
const defaults = { errorRate: 0.01, capacity: 100, expansion: 2 };

interface StoredChain {
  readonly metadata: Metadata;
  readonly chain: BloomChain;
}

const findChain = (context: CommandContext, key: Buffer): StoredChain | undefined | ErrorReply => {
  const metadata = context.find(key, 'bloom');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  const chain = readBloomChain(metadata.payload);
  return chain === undefined ? new ErrorReply('ERR the stored filter is damaged') : { metadata, chain };
};

/** Items that all filters of a chain hold together. */
const capacityOf = ({ filterCount, expansion, baseCapacity }: BloomChain): number => {
  let capacity = 0;
  for (let i = 0; i < filterCount; i++) capacity += baseCapacity * Math.max(1, expansion) ** i;
  return capacity;
};

const putChain = (context: CommandContext, key: Buffer, { metadata, chain }: StoredChain): void =>
  context.putMetadata(key, { ...metadata, payload: encodeBloomChain(chain) });

const putFilter = (
  context: CommandContext,
  key: Buffer,
  stored: StoredChain,
  index: number,
  filter: Buffer,
): void => {
  const subKey = encodeInternalKey(context.subKeyPrefix(key, stored.metadata), encodeFilterIndex(index));
  context.batch.put(ColumnFamily.subKeys, subKey, filter);
};

const readFilters = (context: CommandContext, key: Buffer, stored: StoredChain): Buffer[] => {
  const prefix = context.subKeyPrefix(key, stored.metadata);
  return Array.from({ length: stored.chain.filterCount }, (_, index) =>
    Buffer.from(
      context.reader.get(ColumnFamily.subKeys, encodeInternalKey(prefix, encodeFilterIndex(index))) ??
        noBytes,
    ),
  );
};

const createChain = (
  context: CommandContext,
  key: Buffer,
  errorRate: number,
  capacity: number,
  expansion: number,
): { readonly stored: StoredChain; readonly filter: Buffer } => {
  const filter = Buffer.alloc(filterBytesFor(capacity, errorRate));
  const chain = {
    filterCount: 1,
    expansion,
    baseCapacity: capacity,
    errorRate,
    filterBytes: filter.length,
  };
  const stored = { metadata: context.create('bloom'), chain };
  context.batch.logData(createNote);
  putChain(context, key, stored);
  putFilter(context, key, stored, 0, filter);
  return { stored, filter };
};

/** `BF.RESERVE key error capacity [EXPANSION n] [NONSCALING]` */
const reserve = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const errorRate = parseDouble(args[2] as Buffer);
  const capacity = parseInteger(args[3] as Buffer);
  if (errorRate === undefined) return new ErrorReply('ERR bad error rate');
  if (errorRate <= 0 || errorRate >= 1) return new ErrorReply('ERR (0 < error rate range < 1)');
  if (capacity === undefined || capacity > 0xffff_ffff) return new ErrorReply('ERR bad capacity');
  if (capacity < 1) return new ErrorReply('ERR (capacity should be larger than 0)');
  let expansion = defaults.expansion;
  for (let i = 4; i < args.length; i++) {
    const word = optionWord(args[i] as Buffer);
    if (word === 'NONSCALING') expansion = 0;
    else if (word === 'EXPANSION' && args[i + 1] !== undefined) {
      const wanted = parseInteger(args[++i] as Buffer);
      if (wanted === undefined || wanted < 1 || wanted > 0xffff) return new ErrorReply('ERR bad expansion');
      expansion = wanted;
    } else return refusal.syntax;
  }
  const key = args[1] as Buffer;
  const found = findChain(context, key);
  if (found instanceof ErrorReply) return found;
  if (found !== undefined) return new ErrorReply('ERR the key already exists');
  createChain(context, key, errorRate, capacity, expansion);
  return ok;
};

const add = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1] as Buffer;
  const found = findChain(context, key);
  if (found instanceof ErrorReply) return found;
  let stored = found;
  let filters: Buffer[];
  if (stored === undefined) {
    const created = createChain(context, key, defaults.errorRate, defaults.capacity, defaults.expansion);
    stored = created.stored;
    filters = [created.filter];
  } else filters = readFilters(context, key, stored);
  let { chain } = stored;
  let { size } = stored.metadata;
  const touched = new Set<number>();
  const replies: Reply[] = [];
  for (const item of args.slice(2)) {
    const hash = xxHash64(item);
    if (filters.some((filter) => filter.length > 0 && mayContain(filter, hash))) {
      replies.push(0);
      continue;
    }
    if (size + 1 > capacityOf(chain)) {
      const grown = grow(chain);
      if (grown === undefined) return new ErrorReply('ERR nonscaling filter is full');
      chain = grown.chain;
      filters.push(grown.filter);
    }
    const last = filters.length - 1;
    insertHash(filters[last] as Buffer, hash);
    touched.add(last);
    size++;
    replies.push(1);
  }
  if (touched.size > 0) {
    context.batch.logData(insertNote);
    const updated = { metadata: { ...stored.metadata, size }, chain };
    putChain(context, key, updated);
    for (const index of touched) putFilter(context, key, updated, index, filters[index] as Buffer);
  }
  return replies;
};

/** The chain with one filter more; undefined when it may not grow. */
const grow = (chain: BloomChain): { readonly chain: BloomChain; readonly filter: Buffer } | undefined => {
  const bytes = filterBytesFor(chain.baseCapacity * chain.expansion ** chain.filterCount, chain.errorRate);
  if (chain.expansion === 0 || chain.filterBytes + bytes > maxFilterBytes) return undefined;
  return {
    chain: { ...chain, filterCount: chain.filterCount + 1, filterBytes: chain.filterBytes + bytes },
    filter: Buffer.alloc(bytes),
  };
};

const first = (reply: Reply): Reply => (Array.isArray(reply) ? (reply[0] ?? 0) : reply);

const exists = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1] as Buffer;
  const stored = findChain(context, key);
  if (stored instanceof ErrorReply) return stored;
  const filters = stored === undefined ? [] : readFilters(context, key, stored);
  return args.slice(2).map((item) => {
    const hash = xxHash64(item);
    return filters.some((filter) => filter.length > 0 && mayContain(filter, hash)) ? 1 : 0;
  });
};

const card = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const stored = findChain(context, args[1] as Buffer);
  if (stored instanceof ErrorReply) return stored;
  return stored?.metadata.size ?? 0;
};

const info = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const stored = findChain(context, args[1] as Buffer);
  if (stored === undefined) return new ErrorReply('ERR key is not found');
  if (stored instanceof ErrorReply) return stored;
  const { chain, metadata } = stored;
  const word = (text: string): Buffer => Buffer.from(text);
  return mapReply([
    ...[word('Capacity'), capacityOf(chain)],
    ...[word('Size'), chain.filterBytes],
    ...[word('Number of filters'), chain.filterCount],
    ...[word('Number of items inserted'), metadata.size],
    ...[word('Expansion rate'), chain.expansion === 0 ? null : chain.expansion],
  ]);
};

const noBytes = Buffer.alloc(0);

export const bloomCommands: readonly DataCommand[] = [
  writeCommand('bf.reserve', -4, oneKey, reserve),
  writeCommand('bf.add', 3, oneKey, (context, args) => first(add(context, args))),
  writeCommand('bf.madd', -3, oneKey, add),
  readCommand('bf.exists', 3, oneKey, (context, args) => first(exists(context, args))),
  readCommand('bf.mexists', -3, oneKey, exists),
  readCommand('bf.card', 2, oneKey, card),
  readCommand('bf.info', 2, oneKey, info),
];
