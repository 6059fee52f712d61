import { prefixSuccessor } from '../bytes/index.js';
import {
  appendRecordsAfter,
  appendRecordsOf,
  ColumnFamily,
  cutRecords,
  isAlive,
  KeyRecordsWriter,
  readMetadata,
} from '../data-model/index.js';
import type { DataReader } from '../engine/index.js';
import { isGone } from './key-image.js';
import { type KeyPlace, keyAt, placeOf } from './key-place.js';
import type { KeyPart, KeyReader, PartLimit } from './key-reader.js';
import { partOfAsked, partOfPages, type RecordPage } from './record-part.js';
import type { SourceNames } from './verify/source-names.js';

/**
 * Reads the keys of a store whose data are at hand as of one moment: every part of the walk is of that moment. Keys that are
 * asked for alone, which happens behind it, are read as they are by then.
 */
export class DirectoryReader implements KeyReader, SourceNames {
  readonly readsEveryNamespace = true;
  readonly #data: DataReader;
  readonly #largestKeyBytes: number | undefined;
  readonly #newest: () => Promise<DataReader>;

  /**
   * @param data stays its owner's
   * @param newest the same store as it is by then; stays its owner's
   * @param largestKeyBytes keys of more bytes are not read, and told as unsupported; default: none is
   */
  constructor(data: DataReader, newest: () => Promise<DataReader>, largestKeyBytes?: number) {
    this.#data = data;
    this.#newest = newest;
    this.#largestKeyBytes = largestKeyBytes;
  }

  async read(after: KeyPlace | undefined, again: readonly KeyPlace[], limit: PartLimit): Promise<KeyPart> {
    const records = new KeyRecordsWriter(64 * 1024, this.#largestKeyBytes);
    const nowMs = Date.now();
    const { next } = appendRecordsAfter(this.#data, after ?? noBytes, { ...limit, nowMs }, records);
    const asked = again.length === 0 ? undefined : { page: this.#ask(this.#data, again), places: again };
    return partOfPages(this.#page(this.#data, next, records), asked, onlySession);
  }

  async readKeys(places: readonly KeyPlace[]): Promise<KeyPart> {
    return partOfAsked(this.#ask(await this.#newest(), places), places, onlySession);
  }

  /** Those that have keys, and the default one. */
  namespaces(): readonly string[] {
    const found = new Set(['default']);
    const iterator = this.#data.iterate({ columnFamily: ColumnFamily.metadata });
    try {
      while (iterator.valid) {
        const { ns } = keyAt(iterator.item.key);
        found.add(ns);
        const next = prefixSuccessor(placeOf(ns, noBytes));
        if (next === undefined) break;
        iterator.seek(next);
      }
    } finally {
      iterator.close();
    }
    return [...found];
  }

  async newest(): Promise<string> {
    return String(this.#data.sequence);
  }

  async count(): Promise<number> {
    let count = 0;
    for await (const page of this.walk()) count += page.length;
    return count;
  }

  async *walk(): AsyncGenerator<readonly KeyPlace[]> {
    const nowMs = Date.now();
    let page: KeyPlace[] = [];
    for (const { key, value } of this.#data.iterate({ columnFamily: ColumnFamily.metadata })) {
      const metadata = readMetadata(value);
      // What cannot be read is no key that is gone: reading it says why.
      if (metadata !== undefined && !isAlive(metadata, nowMs)) continue;
      page.push(Buffer.from(key));
      if (page.length < pageKeys) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  async missing(places: readonly KeyPlace[]): Promise<readonly KeyPlace[]> {
    const { images } = partOfAsked(this.#ask(this.#data, places), places, onlySession);
    return images.filter(isGone).map(({ place }) => place);
  }

  async isSameSession(): Promise<boolean> {
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The data belong to whoever opened them.
  }

  #ask(data: DataReader, places: readonly KeyPlace[]): RecordPage {
    const records = new KeyRecordsWriter(4 * 1024, this.#largestKeyBytes);
    const nowMs = Date.now();
    for (const place of places) appendRecordsOf(data, place, nowMs, records);
    return this.#page(data, undefined, records);
  }

  #page(
    { sequence }: DataReader,
    next: KeyPlace | undefined,
    { bytes, leftOut }: KeyRecordsWriter,
  ): RecordPage {
    return { sequence, next, runs: cutRecords(bytes, sequence), leftOut, isDurable: true };
  }
}

const noBytes = Buffer.alloc(0);
const onlySession = 0;
const pageKeys = 1_000;
