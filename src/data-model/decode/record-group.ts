import { ColumnFamily } from '../encoding/column-family.js';
import { LogCommand, type LogData, readLogData } from '../encoding/log-data.js';
import type { Metadata } from '../encoding/metadata.js';

/**
 * The records of one batch that tell one command's effect on one key: its sub-keys under one version, and the
 * metadata entry where the command wrote it. Reused from group to group; the arrays are valid up to `count`.
 */
export class RecordGroup {
  isOpen = false;
  ns = '';
  key: Buffer = noBytes;
  /** The key's place in the decoder's memory: the bytes of its metadata key. */
  memoryKey = '';
  versionHigh = 0;
  versionLow = 0;
  firstSeq = 0;
  /** The LogData before the records. */
  note: Buffer | undefined = undefined;
  metadata: Metadata | undefined = undefined;
  metadataSeq = 0;
  /** The metadata stood before the sub-keys: how RENAME, COPY and Bloom filters are written. */
  isMetadataFirst = false;

  count = 0;
  readonly isPut: boolean[] = [];
  readonly families: number[] = [];
  readonly seqs: number[] = [];
  readonly subKeys: Buffer[] = [];
  readonly values: Buffer[] = [];
  #puts = 0;
  #hint: LogData | null | undefined = null;

  start(ns: string, key: Buffer, memoryKey: string, seq: number, note: Buffer | undefined): void {
    this.isOpen = true;
    this.ns = ns;
    this.key = key;
    this.memoryKey = memoryKey;
    this.versionHigh = 0;
    this.versionLow = 0;
    this.firstSeq = seq;
    this.note = note;
    this.metadata = undefined;
    this.metadataSeq = 0;
    this.isMetadataFirst = false;
    this.count = 0;
    this.#puts = 0;
    this.#hint = null;
  }

  /** Lets go of the batch and of the room for its records, after which only `start` may follow. */
  release(): void {
    this.key = noBytes;
    this.note = undefined;
    this.metadata = undefined;
    this.count = 0;
    this.#hint = null;
    this.isPut.length = this.families.length = this.seqs.length = 0;
    this.subKeys.length = this.values.length = 0;
  }

  add(isPut: boolean, family: number, seq: number, subKey: Buffer, value: Buffer): void {
    const at = this.count++;
    this.isPut[at] = isPut;
    this.families[at] = family;
    this.seqs[at] = seq;
    this.subKeys[at] = subKey;
    this.values[at] = value;
    if (isPut && family !== ColumnFamily.scores) this.#puts++;
  }

  /** True when every record is a put. */
  get hasOnlyPuts(): boolean {
    for (let at = 0; at < this.count; at++) if (!this.isPut[at]) return false;
    return true;
  }

  /** How many different sub-keys were put; the index of scores is not counted. */
  countDistinctPuts(): number {
    if (this.#puts < 2) return this.#puts;
    const distinct = new Set<string>();
    for (let at = 0; at < this.count; at++)
      if (this.isPut[at] && this.families[at] !== ColumnFamily.scores)
        distinct.add(this.subKeys[at].toString('latin1'));
    return distinct.size;
  }

  /** True when the puts are all that the key holds: as many as its metadata counts. */
  get isComplete(): boolean {
    const { metadata } = this;
    if (metadata === undefined) return false;
    return this.#puts >= metadata.size && this.hasOnlyPuts && this.countDistinctPuts() === metadata.size;
  }

  /** What the LogData says, parsed when it is first wanted. */
  get hint(): LogData | undefined {
    if (this.#hint === null) this.#hint = this.note === undefined ? undefined : readLogData(this.note);
    return this.#hint;
  }

  /** The number of the command that the LogData names, of those that lists, bitmaps and EXPIRE have. */
  get command(): LogCommand | undefined {
    const word = this.hint?.words[0];
    return word === undefined ? undefined : commandByNumber.get(word);
  }

  get isExpire(): boolean {
    return isExpireNote(this.note);
  }
}

const commandByNumber: ReadonlyMap<string, LogCommand> = new Map(
  Object.values(LogCommand).map((number) => [String(number), number]),
);

/** True for the LogData `0 8` of commands that set or remove an expiry and nothing else. */
const isExpireNote = (note: Buffer | undefined): boolean =>
  note !== undefined && isExpireNoteAt(note, 0, note.length);

/** The same for the LogData at `start` … `end` of `bytes`. */
export const isExpireNoteAt = (bytes: Buffer, start: number, end: number): boolean =>
  end - start === 3 && bytes[start] === 0x30 && bytes[start + 1] === 0x20 && bytes[start + 2] === 0x38;

const noBytes = Buffer.alloc(0);
