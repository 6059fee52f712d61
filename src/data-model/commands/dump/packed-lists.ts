import { DumpReader } from './dump-reader.js';
import { MalformedDump } from './dumped-value.js';

/**
 * The strings in a listpack (Redis 7's form of small values):
 *
 *   | bytes u32 LE | count u16 LE | entry … | 0xFF |        entry := encoding · data · its length, 1 to 5 bytes
 *
 * @throws MalformedDump
 */
export const readListpack = (bytes: Buffer): Buffer[] => {
  const reader = new DumpReader(bytes);
  reader.skip(6);
  const entries: Buffer[] = [];
  for (let first = reader.byte(); first !== endMark; first = reader.byte()) {
    const start = reader.at - 1;
    entries.push(readListpackEntry(reader, first));
    reader.skip(backLength(reader.at - start));
  }
  return entries;
};

const readListpackEntry = (reader: DumpReader, first: number): Buffer => {
  if (first < 0x80) return Buffer.from(String(first));
  if (first < 0xc0) return reader.slice(first & 0x3f);
  if (first < 0xe0) {
    const value = ((first & 0x1f) << 8) | reader.byte();
    return Buffer.from(String(value < 0x1000 ? value : value - 0x2000));
  }
  if (first < 0xf0) return reader.slice(((first & 0x0f) << 8) | reader.byte());
  switch (first) {
    case 0xf0:
      return reader.slice(reader.u32());
    case 0xf1:
      return reader.integerText(2);
    case 0xf2:
      return reader.integerText(3);
    case 0xf3:
      return reader.integerText(4);
    case 0xf4:
      return reader.integerText(8);
    default:
      throw new MalformedDump('a listpack has an entry of no known form');
  }
};

/** Bytes of an entry's length behind it: 7 bits each. */
const backLength = (length: number): number => {
  if (length < 1 << 7) return 1;
  if (length < 1 << 14) return 2;
  if (length < 1 << 21) return 3;
  return length < 1 << 28 ? 4 : 5;
};

/**
 * The strings in a ziplist (the form before Redis 7):
 *
 *   | bytes u32 LE | tail u32 LE | count u16 LE | entry … | 0xFF |
 *   entry := length of the one before (u8, or 0xFE and u32) · encoding · data
 *
 * @throws MalformedDump
 */
export const readZiplist = (bytes: Buffer): Buffer[] => {
  const reader = new DumpReader(bytes);
  reader.skip(10);
  const entries: Buffer[] = [];
  for (let before = reader.byte(); before !== endMark; before = reader.byte()) {
    if (before === longMark) reader.skip(4);
    entries.push(readZiplistEntry(reader, reader.byte()));
  }
  return entries;
};

const readZiplistEntry = (reader: DumpReader, first: number): Buffer => {
  if (first < 0x40) return reader.slice(first);
  if (first < 0x80) return reader.slice(((first & 0x3f) << 8) | reader.byte());
  if (first < 0xc0) return reader.slice(reader.u32BigEndian());
  if (first > 0xf0 && first < 0xfe) return Buffer.from(String((first & 0x0f) - 1));
  const byteLength = integerBytes.get(first);
  if (byteLength === undefined) throw new MalformedDump('a ziplist has an entry of no known form');
  return reader.integerText(byteLength);
};

const integerBytes: ReadonlyMap<number, number> = new Map([
  [0xc0, 2],
  [0xd0, 4],
  [0xe0, 8],
  [0xf0, 3],
  [0xfe, 1],
]);

/** The numbers of an intset, as text: | width u32 LE | count u32 LE | number … |. @throws MalformedDump */
export const readIntset = (bytes: Buffer): Buffer[] => {
  const reader = new DumpReader(bytes);
  const width = reader.u32();
  if (width !== 2 && width !== 4 && width !== 8) throw new MalformedDump('an intset of no known width');
  const count = reader.u32();
  if (count * width !== bytes.length - reader.at) throw new MalformedDump('an intset of the wrong length');
  return Array.from({ length: count }, () => reader.integerText(width));
};

/**
 * The strings of a zipmap (hashes before Redis 2.6): | count u8 | (length, field, length, unused u8, value, unused) … | 0xFF |;
 * a length is u8, or 0xFE and u32 LE. @throws MalformedDump
 */
export const readZipmap = (bytes: Buffer): Buffer[] => {
  const reader = new DumpReader(bytes);
  reader.skip(1);
  const entries: Buffer[] = [];
  const lengthFrom = (first: number): number => (first === longMark ? reader.u32() : first);
  for (let first = reader.byte(); first !== endMark; first = reader.byte()) {
    entries.push(reader.slice(lengthFrom(first)));
    const length = lengthFrom(reader.byte());
    const unused = reader.byte();
    entries.push(reader.slice(length));
    reader.skip(unused);
  }
  return entries;
};

const endMark = 0xff;
const longMark = 0xfe;
