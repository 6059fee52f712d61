import type { Change, Transaction, Undecodable } from '../change.js';
import { Decoder } from '../decode/decoder.js';
import { singleValueHeaderBytes } from '../encoding/metadata.js';
import { keyRecordsBatch } from './key-records-batch.js';
import { KeyRecordsReader } from './key-records-reader.js';

/**
 * Keys of one namespace, each whole, as a snapshot has read them: strings, hashes, sets, sorted sets and lists. Their changes,
 * each key from a delete or the put of its one value on, are made when somebody asks for them: whoever only copies
 * what is in the records elsewhere does so by their places. Hot; measured by bench `migrate`.
 */
export class WholeKeys implements Transaction {
  readonly first: number;
  readonly last: number;
  readonly count = 0;
  readonly bytes = noBytes;
  readonly undecodable: readonly Undecodable[] = none;
  readonly isSnapshot = true;
  readonly ns: string;
  /** Bytes of KeyRecordsWriter, of which these keys are those from `start` to `end`. */
  readonly page: Buffer;
  readonly start: number;
  readonly end: number;
  readonly keys: number;
  /** All of them are strings. */
  readonly isStrings: boolean;
  #changes: readonly Change[] | undefined;

  constructor(
    sequence: number,
    ns: string,
    page: Buffer,
    start: number,
    end: number,
    keys: number,
    isStrings: boolean,
  ) {
    this.first = sequence;
    this.last = sequence;
    this.ns = ns;
    this.page = page;
    this.start = start;
    this.end = end;
    this.keys = keys;
    this.isStrings = isStrings;
  }

  get changes(): readonly Change[] {
    this.#changes ??= this.isStrings ? this.#stringPuts() : this.#decoded();
    return this.#changes;
  }

  /** The first `count` of the keys. */
  take(count: number): WholeKeys {
    const reader = new KeyRecordsReader(this.page, this.start, this.end);
    for (let left = count; left > 0; left--) reader.next();
    return new WholeKeys(this.first, this.ns, this.page, this.start, reader.end, count, this.isStrings);
  }

  #decoded(): readonly Change[] {
    // A decoder of its own: it must not take one page for the history of another.
    return new Decoder().decode(keyRecordsBatch(this.page, this.start, this.end)).changes;
  }

  #stringPuts(): readonly Change[] {
    const { page, ns } = this;
    const reader = new KeyRecordsReader(page, this.start, this.end);
    const puts: Change[] = [];
    for (let index = 0; reader.next(); index++) {
      const { metadataStart, expireMs } = reader;
      puts.push({
        seq: index,
        index,
        ns,
        key: page.subarray(reader.userKeyStart, reader.metadataKeyEnd),
        op: 'put',
        type: 'string',
        value: page.subarray(metadataStart + singleValueHeaderBytes, reader.metadataEnd),
        ttlAt: expireMs === 0 ? undefined : expireMs,
      });
    }
    return puts;
  }
}

const none: readonly never[] = [];
const noBytes = Buffer.alloc(0);
