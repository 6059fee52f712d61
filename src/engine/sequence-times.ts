import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { inaccessible } from '../files/index.js';

/**
 * When which sequence number was reached, so that a log can be read "from yesterday, 14:00". An entry says: at this
 * time everything up to this sequence number had been committed. At most one entry a second is made; when there are
 * too many they are thinned by age, so that the past is known less finely but never forgotten: the last hour by the
 * second, yesterday by some twenty seconds, last year by two hours.
 *
 * The file is a list of entries, little-endian; it may be removed at any time, and loses at most its last second in a
 * crash.
 *
 *   0               8                16
 *   | time in ms    | sequence       |
 *     u64             u64
 */
export class SequenceTimes {
  readonly #path: string | undefined;
  readonly #maxEntries: number;
  readonly #nowMs: () => number;
  #entries: { readonly timeMs: number; readonly sequence: number }[];
  /** When everything up to `#sequence` was known to have been committed. */
  #timeMs: number;
  #sequence: number;
  #failure: Error | undefined;

  /**
   * Reads what is known of a store that stands at `sequence`. Entries beyond that, and whatever else makes no sense,
   * are dropped: the store was restored from an older copy.
   * @throws TailraceError `FILE_INACCESSIBLE`
   */
  static open(
    path: string,
    sequence: number,
    options: { isReadOnly?: boolean; nowMs?: () => number; maxEntries?: number } = {},
  ): SequenceTimes {
    return new SequenceTimes(path, sequence, options);
  }

  private constructor(
    path: string,
    sequence: number,
    options: { isReadOnly?: boolean; nowMs?: () => number; maxEntries?: number },
  ) {
    this.#path = options.isReadOnly ? undefined : path;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#maxEntries = options.maxEntries ?? defaultMaxEntries;
    const read = readEntries(path);
    this.#entries = meaningful(read.entries, sequence);
    if (this.#entries.length * entryBytes !== read.byteLength) this.#rewrite();
    this.#timeMs = Math.max(this.#nowMs(), this.#entries.at(-1)?.timeMs ?? 0);
    this.#sequence = sequence;
  }

  /** Why entries are kept in memory only, if the file could not be written. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Notes that everything up to `sequence` has been committed. A look at the clock, and a write of 16 bytes a second at
   * most: for a group of commits, not for each.
   */
  note(sequence: number): void {
    const last = this.#entries.at(-1);
    if (last === undefined || this.#timeMs - last.timeMs >= intervalMs) this.#record();
    this.#timeMs = Math.max(this.#timeMs, this.#nowMs()); // the clock may have been set back
    this.#sequence = sequence;
  }

  /**
   * The largest sequence number that is known to have been reached at a time; 0 when nothing is known of it. What came
   * after the time comes after this number; a little of what came before it may, too.
   */
  sequenceAt(timeMs: number): number {
    if (timeMs >= this.#timeMs) return this.#sequence;
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle].timeMs <= timeMs) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low - 1]?.sequence ?? 0;
  }

  /** Keeps the last commit as well. */
  close(): void {
    if (this.#sequence !== (this.#entries.at(-1)?.sequence ?? 0)) this.#record();
  }

  #record(): void {
    const entry = { timeMs: this.#timeMs, sequence: this.#sequence };
    this.#entries.push(entry);
    if (this.#entries.length > this.#maxEntries) {
      this.#entries = thinned(this.#entries, this.#maxEntries / entriesPerAge);
      this.#rewrite();
    } else this.#store((path) => appendFileSync(path, encode([entry])));
  }

  #rewrite(): void {
    this.#store((path) => {
      writeFileSync(`${path}.tmp`, encode(this.#entries));
      renameSync(`${path}.tmp`, path);
    });
  }

  /** The times are an aid: that they cannot be written must not keep the store from working. */
  #store(write: (path: string) => void): void {
    if (this.#path === undefined || this.#failure !== undefined) return;
    try {
      write(this.#path);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }
}

interface Entry {
  readonly timeMs: number;
  readonly sequence: number;
}

const encode = (entries: readonly Entry[]): Buffer => {
  const bytes = Buffer.allocUnsafe(entries.length * entryBytes);
  for (const [i, { timeMs, sequence }] of entries.entries()) {
    bytes.writeBigUInt64LE(BigInt(Math.floor(timeMs)), i * entryBytes);
    bytes.writeBigUInt64LE(BigInt(sequence), i * entryBytes + 8);
  }
  return bytes;
};

const readEntries = (path: string): { entries: Entry[]; byteLength: number } => {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    if (!existsSync(path)) return { entries: [], byteLength: 0 };
    throw inaccessible(path, cause);
  }
  const entries: Entry[] = [];
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes)
    entries.push({
      timeMs: Number(bytes.readBigUInt64LE(at)),
      sequence: Number(bytes.readBigUInt64LE(at + 8)),
    });
  return { entries, byteLength: bytes.length };
};

/** The entries up to the first that cannot follow the one before it. */
const meaningful = (entries: readonly Entry[], sequence: number): Entry[] => {
  let previous: Entry = { timeMs: 1, sequence: -1 };
  const bad = entries.findIndex((entry) => {
    const isBad =
      entry.timeMs < previous.timeMs || entry.sequence < previous.sequence || entry.sequence > sequence;
    previous = entry;
    return isBad;
  });
  return bad < 0 ? [...entries] : entries.slice(0, bad);
};

/**
 * Drops entries so that those of some age lie about age / `fineness` apart: their number then grows with the logarithm
 * of the time only.
 */
const thinned = (entries: readonly Entry[], fineness: number): Entry[] => {
  const newestMs = entries[entries.length - 1].timeMs;
  const kept = [entries[0]];
  for (let i = 1; i < entries.length - 1; i++) {
    const apartMs = (newestMs - entries[i].timeMs) / fineness;
    if (entries[i + 1].timeMs - kept[kept.length - 1].timeMs >= apartMs) kept.push(entries[i]);
  }
  kept.push(entries[entries.length - 1]);
  return kept;
};

const entryBytes = 16;
const intervalMs = 1_000;
/** A megabyte of file. */
const defaultMaxEntries = 65_536;
/** Entries that may be held for each e-fold of age; 16 of them outlast any store. */
const entriesPerAge = 16;
