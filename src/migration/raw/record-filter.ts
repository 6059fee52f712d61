import { prefixSuccessor } from '../../bytes/index.js';
import {
  ColumnFamily,
  defaultNamespace,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
} from '../../data-model/index.js';
import { RecordKind, WriteBatchBuilder, WriteBatchReader } from '../../write-batch/index.js';

export interface RecordFilterOptions {
  /** Namespaces whose records are kept, as changes name them; undefined = every record, also those of no key. */
  readonly namespaces: readonly string[] | undefined;
  /** A key of the default namespace that is never touched: the target's own. */
  readonly ownKey: string;
}

/** What is left of a batch. Borrowed, until the filter is used again. */
export interface KeptRecords {
  readonly bytes: Buffer;
  readonly count: number;
  /** Metadata records: keys that are written. */
  readonly keys: number;
}

/** Leaves of batches what another store is to have: the keys and sub-keys of some namespaces. */
export class RecordFilter {
  readonly #prefixes: readonly Buffer[] | undefined;
  readonly #ownKey: Buffer;
  readonly #out = new WriteBatchBuilder(64 * 1024);
  readonly #reader = new WriteBatchReader();

  constructor({ namespaces, ownKey }: RecordFilterOptions) {
    this.#prefixes = namespaces?.map((ns) => namespacePrefix(ns === 'default' ? defaultNamespace : ns));
    this.#ownKey = encodeMetadataKey(namespacePrefix(defaultNamespace), Buffer.from(ownKey));
  }

  /**
   * @param purges says before each key that the target may hold elements of it: needed where the target was written before
   * @throws TailraceError `BATCH_CORRUPT` | `BATCH_RECORD_UNKNOWN`
   */
  keep(batch: Buffer, purges = false): KeptRecords {
    const [reader, out] = [this.#reader, this.#out];
    out.clear();
    reader.reset(batch, 0, batch.length);
    let keys = 0;
    while (reader.next()) {
      const { kind, columnFamily } = reader;
      if (kind === RecordKind.LogData) out.logData(reader.value());
      if (kind === RecordKind.LogData || !this.#isOfKeys(columnFamily)) continue;
      const key = reader.key();
      if (kind === RecordKind.DeleteRange) this.#deleteRange(columnFamily, key, reader.value());
      else if (this.#isKept(columnFamily, key)) {
        const isMetadata = kind === RecordKind.Put && columnFamily === ColumnFamily.metadata;
        if (isMetadata) keys++;
        if (isMetadata && purges) this.#purge(key);
        if (kind === RecordKind.Put) out.put(columnFamily, key, reader.value());
        else if (kind === RecordKind.Delete) out.delete(columnFamily, key);
        else if (kind === RecordKind.SingleDelete) out.singleDelete(columnFamily, key);
        else if (kind === RecordKind.Merge) out.merge(columnFamily, key, reader.value());
      }
    }
    return { bytes: out.finish(), count: out.count, keys };
  }

  /** What makes the key of `metadataKey` hold these records and nothing else, whatever it held. */
  replace(metadataKey: Buffer, records: readonly Buffer[]): KeptRecords {
    const out = this.#out;
    out.clear();
    out.delete(ColumnFamily.metadata, metadataKey);
    this.#purge(metadataKey);
    for (const batch of records) out.append(batch);
    return { bytes: out.finish(), count: out.count, keys: 1 };
  }

  /** What empties the target of all keys but its own. Their elements go key by key, as they are written again. */
  clear(): KeptRecords {
    const out = this.#out;
    out.clear();
    this.#deleteRange(ColumnFamily.metadata, noBytes, behindAllKeys);
    return { bytes: out.finish(), count: out.count, keys: 0 };
  }

  /** What is published, scripts and indexes are not data that is copied by namespaces. */
  #isOfKeys(columnFamily: number): boolean {
    return this.#prefixes === undefined || families.has(columnFamily);
  }

  #isKept(columnFamily: number, key: Buffer): boolean {
    const isNamed = this.#prefixes?.some((prefix) => startsWith(key, prefix)) ?? true;
    return isNamed && !(columnFamily === ColumnFamily.metadata && key.equals(this.#ownKey));
  }

  /** What of the range lies in the namespaces; FLUSHALL reaches over all of them. The target's own key stays. */
  #deleteRange(columnFamily: number, begin: Buffer, end: Buffer): void {
    for (const prefix of this.#prefixes ?? [noBytes]) {
      const last = prefix.length === 0 ? undefined : prefixSuccessor(prefix);
      const from = Buffer.compare(begin, prefix) < 0 ? prefix : begin;
      const to = last === undefined || Buffer.compare(end, last) < 0 ? end : last;
      if (Buffer.compare(from, to) >= 0) continue;
      const own = this.#ownKey;
      const hasOwn =
        columnFamily === ColumnFamily.metadata &&
        Buffer.compare(from, own) <= 0 &&
        Buffer.compare(own, to) < 0;
      if (!hasOwn) this.#out.deleteRange(columnFamily, from, to);
      else {
        this.#out.deleteRange(columnFamily, from, own);
        this.#out.deleteRange(columnFamily, Buffer.concat([own, Buffer.of(0)]), to);
      }
    }
  }

  /** Elements of any incarnation of the key. */
  #purge(metadataKey: Buffer): void {
    const prefixEnd = 1 + metadataKey[0];
    const [namespace, userKey] = [metadataKey.subarray(0, prefixEnd), metadataKey.subarray(prefixEnd)];
    const begin = encodeSubKeyPrefix(namespace, userKey, noBytes);
    const elements = begin.subarray(0, namespace.length + 4 + userKey.length);
    const end = prefixSuccessor(elements);
    if (end === undefined) return;
    for (const columnFamily of elementFamilies) this.#out.deleteRange(columnFamily, elements, end);
  }
}

const startsWith = (key: Buffer, prefix: Buffer): boolean =>
  key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;

const elementFamilies = [ColumnFamily.subKeys, ColumnFamily.scores, ColumnFamily.streams];
const families: ReadonlySet<number> = new Set([ColumnFamily.metadata, ...elementFamilies]);
const noBytes = Buffer.alloc(0);
/** A namespace's name has 255 bytes at most, and its length stands before it. */
const behindAllKeys = Buffer.alloc(257, 0xff);
