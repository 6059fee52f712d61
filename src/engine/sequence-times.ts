import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { messageOf } from '../errors/index.js';

/** What is wrong with the file of the times, by which nothing but times is lost. */
export interface TimesFault {
  readonly file: string;
  readonly reason: string;
}

/**
 * When which sequence number was reached, so that a log can be read "from yesterday, 14:00". An entry says: at this
 * time everything up to this sequence number had been committed. At most one entry a second is made; when there are
 * too many they are thinned by age, so that the past is known less finely but never forgotten: the last hour by the
 * second, yesterday by some twenty seconds, last year by two hours.
 *
 * The file is a list of entries, little-endian; it may be removed at any time, and loses at most its last second when the
 * process is killed.
 *
 *   0            7      8          16
 *   | time in ms | 0xe5 | sequence | crc32 |
 *     u56          u8     u64        u32, of the 16 bytes before it
 *
 * Older versions wrote a 0 for the 0xe5, and no checksum.
 */
export class SequenceTimes {
  readonly #path: string | undefined;
  readonly #maxEntries: number;
  readonly #nowMs: () => number;
  #entries: { readonly timeMs: number; readonly sequence: number }[];
  /** When everything up to `#sequence` was known to have been committed. */
  #timeMs: number;
  #sequence: number;
  #fault: TimesFault | undefined;
  /** It could not be read or written, and is left as it is. */
  #isFailed = false;

  /**
   * Reads what is known of a store that stands at `sequence`. Entries beyond that are dropped: the store was restored from
   * an older copy. So are those that are damaged, which is a `fault`, as is a file that cannot be read.
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
    const bytes = this.#read(path);
    const { entries, damaged, firstDamaged } = decode(bytes);
    if (damaged > 0)
      this.#fault = {
        file: path,
        reason: `entries were damaged and are dropped: ${damaged}, the first at offset ${firstDamaged}`,
      };
    this.#entries = entries.filter((entry) => entry.sequence <= sequence);
    if (!bytes.equals(encode(this.#entries))) this.#rewrite();
    this.#timeMs = this.#entries.at(-1)?.timeMs ?? 0;
    this.#moveTo(this.#nowMs());
    this.#sequence = sequence;
  }

  /** Why the times are not known further back, or will not be after the next start. */
  get fault(): TimesFault | undefined {
    return this.#fault;
  }

  /**
   * Notes that everything up to `sequence` has been committed. A look at the clock, and a write of 20 bytes a second at
   * most: for a group of commits, not for each.
   */
  note(sequence: number): void {
    const last = this.#entries.at(-1);
    if (last === undefined || this.#timeMs - last.timeMs >= intervalMs) this.#record();
    this.#moveTo(this.#nowMs());
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

  /**
   * When the clock is set back by a little, time stands still until it is there again. By more it may have been wrong for
   * long: what was committed in a time to come has been by now.
   */
  #moveTo(nowMs: number): void {
    if (nowMs >= this.#timeMs - mostStillMs) {
      this.#timeMs = Math.max(this.#timeMs, nowMs);
      return;
    }
    this.#timeMs = nowMs;
    const last = this.#entries.at(-1);
    if (last === undefined || last.timeMs <= nowMs) return;
    this.#entries = this.#entries.filter(({ timeMs }) => timeMs < nowMs);
    this.#entries.push({ timeMs: nowMs, sequence: last.sequence });
    this.#rewrite();
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

  #read(path: string): Buffer {
    try {
      return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    } catch (error) {
      this.#fail(path, error);
      return Buffer.alloc(0);
    }
  }

  #store(write: (path: string) => void): void {
    if (this.#path === undefined || this.#isFailed) return;
    try {
      write(this.#path);
    } catch (error) {
      this.#fail(this.#path, error);
    }
  }

  /** The times are an aid: that they cannot be read or written must not keep the store from working. */
  #fail(file: string, error: unknown): void {
    this.#isFailed = true;
    this.#fault = { file, reason: messageOf(error) };
  }
}

interface Entry {
  readonly timeMs: number;
  readonly sequence: number;
}

const encode = (entries: readonly Entry[]): Buffer => {
  const bytes = Buffer.allocUnsafe(entries.length * entryBytes);
  for (const [i, { timeMs, sequence }] of entries.entries()) {
    const at = i * entryBytes;
    bytes.writeBigUInt64LE(BigInt(Math.floor(timeMs)) | entryMark, at);
    bytes.writeBigUInt64LE(BigInt(sequence), at + 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 16)), at + 16);
  }
  return bytes;
};

/** The entries that are sound, and where the first stands that is not. Bytes behind the last whole one are those of a crash. */
const decode = (bytes: Buffer): { entries: Entry[]; damaged: number; firstDamaged: number } => {
  const isOlder = bytes.length >= 8 && isDate(Number(bytes.readBigUInt64LE(0)));
  const [mark, stride] = isOlder ? [0n, 16] : [entryMark, entryBytes];
  const entries: Entry[] = [];
  let damaged = 0;
  let firstDamaged = bytes.length;
  for (let at = 0; at + stride <= bytes.length; at += stride) {
    const isWhole = isOlder || bytes.readUInt32LE(at + 16) === crc32(bytes.subarray(at, at + 16));
    const entry = {
      timeMs: Number(bytes.readBigUInt64LE(at) ^ mark),
      sequence: Number(bytes.readBigUInt64LE(at + 8)),
    };
    if (isWhole && canFollow(entry, entries.at(-1))) entries.push(entry);
    else if (damaged++ === 0) firstDamaged = at;
  }
  return { entries, damaged, firstDamaged };
};

const canFollow = ({ timeMs, sequence }: Entry, previous: Entry = { timeMs: 0, sequence: 0 }): boolean =>
  isDate(timeMs) &&
  timeMs >= previous.timeMs &&
  sequence >= previous.sequence &&
  sequence <= Number.MAX_SAFE_INTEGER;

const isDate = (timeMs: number): boolean => timeMs > 0 && timeMs <= latestDateMs;

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

const entryBytes = 20;
/** Far from the 0 of older versions by any one bit. */
const entryMark = 0xe5n << 56n;
/** The last moment that a date can name. */
const latestDateMs = 8.64e15;
const intervalMs = 1_000;
/** By so much clocks are set back to keep them right. */
const mostStillMs = 60_000;
/** A megabyte of file. */
const defaultMaxEntries = 65_536;
/** Entries that may be held for each e-fold of age; 16 of them outlast any store. */
const entriesPerAge = 16;
