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
import type { CommandContext } from '../command-context.js';
import { booleanReply, ErrorReply, type Reply } from '../reply.js';
import { filterBytesFor, insertHash, isFilter, maxFilterBytes, mayContain } from './block-split-filter.js';

const createNote = encodeLogData('bloom', 'createBloomChain');
const insertNote = encodeLogData('bloom', 'insert');

/** What a new chain is to be. */
export interface FilterShape {
  readonly errorRate: number;
  /** Items that its first filter holds. */
  readonly capacity: number;
  /** How much larger each further filter is; 0: there is none. */
  readonly expansion: number;
}

/** What BF.ADD makes when there is no filter yet. */
export const defaultShape: FilterShape = { errorRate: 0.01, capacity: 100, expansion: 2 };

export interface StoredChain {
  readonly metadata: Metadata;
  readonly chain: BloomChain;
}

export const findChain = (context: CommandContext, key: Buffer): StoredChain | undefined | ErrorReply => {
  const metadata = context.find(key, 'bloom');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  const chain = readBloomChain(metadata.payload);
  return chain === undefined ? damaged : { metadata, chain };
};

/** Items that all filters of a chain hold together. */
export const capacityOf = ({ filterCount, expansion, baseCapacity }: BloomChain): number => {
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

const readFilters = (context: CommandContext, key: Buffer, stored: StoredChain): Buffer[] | ErrorReply => {
  const prefix = context.subKeyPrefix(key, stored.metadata);
  const filters: Buffer[] = [];
  for (let index = 0; index < stored.chain.filterCount; index++) {
    const subKey = encodeInternalKey(prefix, encodeFilterIndex(index));
    const filter = context.reader.get(ColumnFamily.subKeys, subKey);
    if (filter === undefined || !isFilter(filter)) return damaged;
    filters.push(Buffer.from(filter));
  }
  return filters;
};

export const createChain = (
  context: CommandContext,
  key: Buffer,
  { errorRate, capacity, expansion }: FilterShape,
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

/** For each item whether one of the filters may contain it. */
export const containsItems = (
  context: CommandContext,
  key: Buffer,
  stored: StoredChain | undefined,
  items: readonly Buffer[],
): boolean[] | ErrorReply => {
  const filters = stored === undefined ? [] : readFilters(context, key, stored);
  if (filters instanceof ErrorReply) return filters;
  return items.map((item) => isInSome(filters, xxHash64(item)));
};

const isInSome = (filters: readonly Buffer[], hash: bigint): boolean =>
  filters.some((filter) => mayContain(filter, hash));

/**
 * Adds items to a chain, which is made in the given shape if there is none; without a shape that is refused. Answers
 * for each item 1 when it is new, 0 when it seems to be there, and an error when a chain that does not grow is full.
 */
export const addItems = (
  context: CommandContext,
  key: Buffer,
  items: readonly Buffer[],
  shape: FilterShape | undefined,
): Reply[] | ErrorReply => {
  const found = findChain(context, key);
  if (found instanceof ErrorReply) return found;
  if (found === undefined && shape === undefined) return new ErrorReply('ERR key is not found');
  const created = found === undefined ? createChain(context, key, shape ?? defaultShape) : undefined;
  const stored = found ?? created?.stored;
  if (stored === undefined) return [];
  const filters = created === undefined ? readFilters(context, key, stored) : [created.filter];
  if (filters instanceof ErrorReply) return filters;
  let { chain } = stored;
  let { size } = stored.metadata;
  const touched = new Set<number>();
  const replies = items.map((item): Reply => {
    const hash = xxHash64(item);
    if (isInSome(filters, hash)) return booleanReply(false);
    if (size + 1 > capacityOf(chain)) {
      const grown = grow(chain);
      if (grown === undefined) return new ErrorReply('ERR nonscaling filter is full');
      chain = grown.chain;
      filters.push(grown.filter);
    }
    const last = filters.length - 1;
    insertHash(filters[last], hash);
    touched.add(last);
    size++;
    return booleanReply(true);
  });
  if (touched.size > 0) {
    context.batch.logData(insertNote);
    const updated = { metadata: { ...stored.metadata, size }, chain };
    putChain(context, key, updated);
    for (const index of touched) putFilter(context, key, updated, index, filters[index]);
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

const damaged = new ErrorReply('ERR the stored filter is damaged');
