import { largeReferenceLength } from './large-value.js';
import {
  entryAt,
  pageBytes,
  pageHeaderBytes,
  prefixLengthOf,
  tailBytes,
  u16,
  u32,
  varintAt,
  varintLength,
} from './page.js';

/**
 * Where the parts of one entry lie, as absolute places in the bytes that hold its page. One view is used for many
 * entries: nothing is allocated per entry.
 */
export class EntryView {
  suffixStart = 0;
  suffixEnd = 0;
  /** Place of the reference to the rest of the key; -1 when the key is whole. */
  tailAt = -1;
  /** Place of the value, of the large reference, or of the child's unit. */
  valueAt = 0;
  /** Length of the whole value, wherever it is. */
  valueLength = 0;
  isLarge = false;
  /** Where the entry ends. */
  end = 0;

  readLeaf(bytes: Uint8Array, base: number, index: number): void {
    this.readLeafAt(bytes, base + u16(bytes, base + pageBytes - 2 * (index + 1)));
  }

  /** Reads the entry of a leaf that begins at a place. */
  readLeafAt(bytes: Uint8Array, start: number): void {
    let at = start;
    const key = varintAt(bytes, at);
    at += varintLength(key);
    const value = varintAt(bytes, at);
    at += varintLength(value);
    at = this.#readKey(key, at);
    this.valueAt = at;
    this.isLarge = value % 2 === 1;
    this.valueLength = this.isLarge ? (value - 1) / 2 : value >>> 1;
    this.end = at + (this.isLarge ? largeReferenceLength(bytes, at) : this.valueLength);
  }

  readBranch(bytes: Uint8Array, base: number, index: number): void {
    const at = base + u16(bytes, base + pageBytes - 2 * (index + 1));
    const key = varintAt(bytes, at);
    this.valueAt = this.#readKey(key, at + varintLength(key));
    this.end = this.valueAt + 4;
  }

  #readKey(key: number, at: number): number {
    this.suffixStart = at;
    this.suffixEnd = at + (key >>> 1);
    if ((key & 1) === 0) {
      this.tailAt = -1;
      return this.suffixEnd;
    }
    this.tailAt = this.suffixEnd;
    return this.suffixEnd + tailBytes;
  }
}

/** The unit of a branch page's child. */
export const childAt = (bytes: Uint8Array, base: number, index: number): number => {
  const at = base + entryAt(bytes, base, index);
  const key = varintAt(bytes, at);
  return u32(bytes, at + varintLength(key) + (key >>> 1) + ((key & 1) === 0 ? 0 : tailBytes));
};

/** Reads bytes that lie in runs of their own. */
export interface RunReader {
  /** Owned by the caller. @throws `STORE_CORRUPT` */
  readRun(unit: number, byteLength: number, checksum: number): Buffer;
}

export const readTail = (runs: RunReader, bytes: Uint8Array, tailAt: number): Buffer =>
  runs.readRun(u32(bytes, tailAt), u32(bytes, tailAt + 4), u32(bytes, tailAt + 8));

/** The whole key of an entry. Owned by the caller. */
export const wholeKey = (runs: RunReader, bytes: Buffer, base: number, entry: EntryView): Buffer => {
  const prefixLength = prefixLengthOf(bytes, base);
  const inline = prefixLength + entry.suffixEnd - entry.suffixStart;
  const tail = entry.tailAt < 0 ? undefined : readTail(runs, bytes, entry.tailAt);
  const key = Buffer.allocUnsafe(inline + (tail?.length ?? 0));
  bytes.copy(key, 0, base + pageHeaderBytes, base + pageHeaderBytes + prefixLength);
  bytes.copy(key, prefixLength, entry.suffixStart, entry.suffixEnd);
  if (tail !== undefined) key.set(tail, inline);
  return key;
};

/** True when an entry whose key is whole has this key. */
export const hasKey = (
  bytes: Uint8Array,
  base: number,
  { suffixStart, suffixEnd, tailAt }: EntryView,
  key: Uint8Array,
): boolean => {
  const prefixLength = prefixLengthOf(bytes, base);
  const { length } = key;
  if (tailAt >= 0 || prefixLength + suffixEnd - suffixStart !== length) return false;
  const suffixAt = suffixStart - prefixLength;
  for (let i = prefixLength; i < length; i++) if (bytes[suffixAt + i] !== key[i]) return false;
  const prefixAt = base + pageHeaderBytes;
  for (let i = 0; i < prefixLength; i++) if (bytes[prefixAt + i] !== key[i]) return false;
  return true;
};
