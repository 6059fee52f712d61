import { crc32 } from 'node:zlib';
import { TailraceError } from '../../errors/index.js';
import { replaceBytes } from './page-checksum.js';

/**
 * A page of the tree: one unit of the data file. Numbers are little-endian.
 *
 *   0       4       8      12      13      14      16             18    20
 *   | crc   | epoch | unit | magic | level | count | prefixLength | end | prefix, entries … free … slots |
 *     u32     u32     u32    u8      u8      u16     u16            u16
 *
 *   slot i   u16 at 4096 − 2(i + 1): where entry i begins; entries are in key order
 *   prefix   the bytes that all keys of the page begin with; entries hold the rest, their suffix
 *
 *   leaf entry (level 0)
 *     varint suffixLength·2 + hasTail │ varint valueLength·2 + isLarge │ suffix │ tail? │ value, or large reference
 *   branch entry (level ≥ 1)
 *     varint suffixLength·2 + hasTail │ suffix │ tail? │ u32 unit of the child
 *
 *   tail             u32 unit │ u32 length │ u32 crc   the bytes of a key behind its first 512, in a run of its own
 *   large reference  see `large-value.ts`                a value in runs of its own
 *
 * A branch entry's key is a separator: no key of its child is less, every key of the child before is. `crc` is
 * zlib's CRC-32 (native code; the CRC-32C of the log is five times slower here) of all that follows it. `unit` says
 * where the page belongs and `epoch` which state wrote it, so a page that was written elsewhere or for a later state
 * is not taken for this one.
 */
export const pageBytes = 4096;
export const pageHeaderBytes = 20;
/** The longest key that is held in an entry as a whole; of longer ones the first bytes, as many as this. */
export const maxInlineKeyBytes = 512;
/** An entry that would be larger has its value in a run of its own: two entries always fit into a page. */
export const maxEntryBytes = 2000;
export const tailBytes = 12;

const magic = 0xb7;

/** What a page says of itself, to be checked against what was asked for. */
export interface PageIdentity {
  readonly unit: number;
  /** the newest epoch that a page may have */
  readonly epoch: number;
}

/** Notes where an entry lies, relative to the page. */
export const putSlot = (bytes: Uint8Array, base: number, index: number, at: number): void => {
  putU16(bytes, base + pageBytes - 2 * (index + 1), at);
};

/** Copies bytes to `at`; returns where they end. */
export const putBytes = (
  into: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  end: number,
): number => {
  const behind = at + end - start;
  if (end - start > longestLooped) into.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) into[at++] = from[i];
  return behind;
};

/** Up to this length a loop is faster than copying from a view. */
const longestLooped = 48;

export const levelOf = (bytes: Uint8Array, base: number): number => bytes[base + 13];
export const countOf = (bytes: Uint8Array, base: number): number => u16(bytes, base + 14);
export const prefixLengthOf = (bytes: Uint8Array, base: number): number => u16(bytes, base + 16);
export const entriesEndOf = (bytes: Uint8Array, base: number): number => u16(bytes, base + 18);
/** Place of an entry, relative to the page. */
export const entryAt = (bytes: Uint8Array, base: number, index: number): number =>
  u16(bytes, base + pageBytes - 2 * (index + 1));

/** Fills in the header, clears what lies between entries and slots, and seals the page with its checksum. */
export const sealPage = (
  bytes: Buffer,
  base: number,
  page: { unit: number; epoch: number; level: number; count: number; prefixLength: number; end: number },
): void => {
  bytes.writeUInt32LE(page.epoch >>> 0, base + 4);
  bytes.writeUInt32LE(page.unit, base + 8);
  bytes[base + 12] = magic;
  bytes[base + 13] = page.level;
  bytes.writeUInt16LE(page.count, base + 14);
  bytes.writeUInt16LE(page.prefixLength, base + 16);
  bytes.writeUInt16LE(page.end, base + 18);
  bytes.fill(0, base + page.end, base + pageBytes - 2 * page.count);
  bytes.writeUInt32LE(crc32(bytes.subarray(base + 4, base + pageBytes)), base);
};

/**
 * Seals a copy of a page in which some bytes were replaced: `change` is by what those changed its checksum. If the page was
 * damaged before, its checksum is still wrong now.
 */
export const sealCopy = (bytes: Buffer, base: number, unit: number, epoch: number, change: number): void => {
  putU32(identity, 0, epoch);
  putU32(identity, 4, unit);
  const all = change ^ replaceBytes(bytes, base + 4, base + pageBytes, identity, 0, identity.length);
  putU32(bytes, base, u32(bytes, base) ^ all);
};

const identity = new Uint8Array(8);

/** What is wrong with a page as it came from the disk; undefined = nothing. */
export const pageFault = (bytes: Buffer, base: number, wanted: PageIdentity): string | undefined => {
  const isIntact = u32(bytes, base) === crc32(bytes.subarray(base + 4, base + pageBytes));
  return isIntact ? headerFault(bytes, base, wanted) : notAPage;
};

/** What is wrong with the header, on which all places in the page depend; undefined = nothing. */
export const headerFault = (
  bytes: Uint8Array,
  base: number,
  { unit, epoch }: PageIdentity,
): string | undefined => {
  const isPage =
    bytes[base + 12] === magic &&
    u32(bytes, base + 8) === unit &&
    pageHeaderBytes + prefixLengthOf(bytes, base) <= entriesEndOf(bytes, base) &&
    entriesEndOf(bytes, base) + 2 * countOf(bytes, base) <= pageBytes;
  if (!isPage) return notAPage;
  return u32(bytes, base + 4) > epoch ? 'the page belongs to a later state' : undefined;
};

const notAPage = 'the page has a wrong checksum or is not a page';

export const damagedPage = (path: string, unit: number, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path} is damaged at offset ${unit * pageBytes}: ${reason}`, {
    context: { file: path, unit, offset: unit * pageBytes, reason },
    remedy: 'Restore a checkpoint or a backup.',
  });

/** Reads the varint at `at`, which ends at `at + varintLength(value)`. */
export const varintAt = (bytes: Uint8Array, at: number): number => {
  let byte = bytes[at];
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    byte = bytes[++at];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return value;
};

export const varintLength = (value: number): number => {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
};

/** Writes a varint; returns where it ends. */
export const putVarint = (bytes: Uint8Array, at: number, value: number): number => {
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
};

export const u16 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8);

export const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

export const putU16 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
};

export const putU32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
};
