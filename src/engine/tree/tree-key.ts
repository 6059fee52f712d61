import { crc32 } from 'node:zlib';
import { type EntryView, type RunReader, readTail } from './entry-view.js';
import { maxInlineKeyBytes, pageHeaderBytes, prefixLengthOf, putBytes, putU32, tailBytes } from './page.js';

/** A key as entries hold it: its first bytes, and where the rest is when there is more. */
export interface TreeKey {
  readonly inline: Buffer;
  /** Reference to the rest of the key, as it stands in the entry. */
  readonly tail: Buffer | undefined;
}

/** Less than every other key: the separator of the leftmost child. */
export const lowestKey: TreeKey = { inline: Buffer.alloc(0), tail: undefined };

/** Puts bytes into a run of their own. */
export interface RunWriter {
  writeRun(bytes: Uint8Array, start: number, end: number): { unit: number; checksum: number };
}

/** The key of an entry. Owned by the caller. */
export const keyOf = (bytes: Buffer, base: number, entry: EntryView): TreeKey => {
  const prefixLength = prefixLengthOf(bytes, base);
  const inline = Buffer.allocUnsafe(prefixLength + entry.suffixEnd - entry.suffixStart);
  const prefixStart = base + pageHeaderBytes;
  putBytes(inline, 0, bytes, prefixStart, prefixStart + prefixLength);
  putBytes(inline, prefixLength, bytes, entry.suffixStart, entry.suffixEnd);
  return { inline, tail: entry.tailAt < 0 ? undefined : copyOf(bytes, entry.tailAt, tailBytes) };
};

/** Makes the key of an entry, its tail in a run of its own if it needs one. */
export const makeKey = (runs: RunWriter, bytes: Uint8Array, start: number, end: number): TreeKey => {
  if (end - start <= maxInlineKeyBytes) return { inline: copyOf(bytes, start, end - start), tail: undefined };
  const tail = writeTail(runs, bytes, start + maxInlineKeyBytes, end);
  return { inline: copyOf(bytes, start, maxInlineKeyBytes), tail };
};

/** The key once more, with a run of its own for its tail. */
export const copyOfKey = (runs: RunReader & RunWriter, key: TreeKey): TreeKey => {
  if (key.tail === undefined) return key;
  const whole = Buffer.concat([key.inline, readTail(runs, key.tail, 0)]);
  return makeKey(runs, whole, 0, whole.length);
};

/** Puts the bytes of a key behind its first ones into a run of their own; returns the reference to them. */
export const writeTail = (runs: RunWriter, bytes: Uint8Array, start: number, end: number): Buffer => {
  const { unit, checksum } = runs.writeRun(bytes, start, end);
  const tail = Buffer.allocUnsafe(tailBytes);
  putU32(tail, 0, unit);
  putU32(tail, 4, end - start);
  putU32(tail, 8, checksum);
  return tail;
};

/** Orders bytes against a key. */
export const compareToKey = (
  runs: RunReader,
  bytes: Uint8Array,
  start: number,
  end: number,
  key: TreeKey,
): number => {
  const { inline } = key;
  const shared = Math.min(end - start, inline.length);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[start + i] - inline[i];
    if (difference !== 0) return difference;
  }
  if (key.tail === undefined || end - start <= inline.length) {
    const difference = end - start - inline.length;
    return difference === 0 && key.tail !== undefined ? -1 : difference;
  }
  return Buffer.compare(bytes.subarray(start + inline.length, end), readTail(runs, key.tail, 0));
};

/** The shortest key that is greater than `left` and not greater than `right`; `shared` bytes of their inline parts agree. */
export const separatorBetween = (
  reader: RunReader,
  writer: RunWriter,
  left: TreeKey,
  right: TreeKey,
  shared: number,
): TreeKey => {
  if (shared < right.inline.length) return { inline: right.inline.subarray(0, shared + 1), tail: undefined };
  if (right.tail === undefined) return { inline: right.inline, tail: undefined };
  const rightTail = readTail(reader, right.tail, 0);
  const leftTail = left.tail === undefined ? noBytes : readTail(reader, left.tail, 0);
  const length = Math.min(rightTail.length, sharedLength(leftTail, rightTail) + 1);
  const whole = Buffer.concat([right.inline, rightTail.subarray(0, length)]);
  return makeKey(writer, whole, 0, whole.length);
};

export const sharedLength = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
};

/** CRC-32 of part of some bytes. */
export const checksumOf = (bytes: Uint8Array, start: number, end: number): number =>
  crc32(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));

const copyOf = (bytes: Uint8Array, at: number, length: number): Buffer => {
  const copy = Buffer.allocUnsafe(length);
  putBytes(copy, 0, bytes, at, at + length);
  return copy;
};

const noBytes = Buffer.alloc(0);
