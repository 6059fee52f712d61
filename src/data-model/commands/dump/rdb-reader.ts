import { parseDouble } from '../arguments.js';
import { RdbType } from './dump-payload.js';
import { DumpReader } from './dump-reader.js';
import { type DumpedValue, MalformedDump } from './dumped-value.js';
import { decompressLzf } from './lzf.js';
import { readIntset, readListpack, readZiplist, readZipmap } from './packed-lists.js';

/**
 * Reads type and value in every form that Redis has had for strings, lists, sets, hashes and sorted sets; undefined
 * for anything else, and for damage. Borrows `content`, where it is not compressed.
 */
export const readDumpedValue = (content: Buffer): DumpedValue | undefined => {
  const reader = new DumpReader(content);
  try {
    const value = readValue(reader, reader.byte());
    return reader.isAtEnd ? value : undefined;
  } catch (error) {
    if (error instanceof MalformedDump) return undefined;
    throw error;
  }
};

const readValue = (reader: DumpReader, type: number): DumpedValue | undefined => {
  switch (type) {
    case RdbType.string:
      return { type: 'string', value: readString(reader) };
    case RdbType.list:
      return { type: 'list', elements: readStrings(reader, readLength(reader)) };
    case RdbType.listZiplist:
      return { type: 'list', elements: readZiplist(readString(reader)) };
    case RdbType.listQuicklist:
      return { type: 'list', elements: readNodes(reader, () => readZiplist(readString(reader))) };
    case RdbType.listQuicklist2:
      return { type: 'list', elements: readNodes(reader, () => readNode(reader)) };
    case RdbType.set:
      return { type: 'set', members: readStrings(reader, readLength(reader)) };
    case RdbType.setIntset:
      return { type: 'set', members: readIntset(readString(reader)) };
    case RdbType.setListpack:
      return { type: 'set', members: readListpack(readString(reader)) };
    case RdbType.hash:
      return hashOf(readStrings(reader, 2 * readLength(reader)));
    case RdbType.hashZipmap:
      return hashOf(readZipmap(readString(reader)));
    case RdbType.hashZiplist:
      return hashOf(readZiplist(readString(reader)));
    case RdbType.hashListpack:
      return hashOf(readListpack(readString(reader)));
    case RdbType.zset:
      return readZset(reader, () => reader.double());
    case RdbType.zsetOfTexts:
      return readZset(reader, () => readScoreText(reader));
    case RdbType.zsetZiplist:
      return zsetOf(readZiplist(readString(reader)));
    case RdbType.zsetListpack:
      return zsetOf(readListpack(readString(reader)));
    default:
      return undefined;
  }
};

const hashOf = (flat: readonly Buffer[]): DumpedValue => {
  if (flat.length % 2 !== 0) throw new MalformedDump('a hash with a field that has no value');
  const fields = Array.from({ length: flat.length / 2 }, (_, at) => ({
    field: flat[2 * at],
    value: flat[2 * at + 1],
  }));
  return { type: 'hash', fields };
};

const zsetOf = (flat: readonly Buffer[]): DumpedValue => {
  if (flat.length % 2 !== 0) throw new MalformedDump('a member without a score');
  const members = Array.from({ length: flat.length / 2 }, (_, at) => ({
    member: flat[2 * at],
    score: scoreOf(flat[2 * at + 1]),
  }));
  return { type: 'zset', members };
};

const scoreOf = (text: Buffer): number => {
  const score = parseDouble(text);
  if (score === undefined) throw new MalformedDump('a score is no number');
  return score;
};

const readZset = (reader: DumpReader, readScore: () => number): DumpedValue => {
  const count = readLength(reader);
  const members: { member: Buffer; score: number }[] = [];
  for (let i = 0; i < count; i++) {
    const member = readString(reader);
    const score = readScore();
    if (Number.isNaN(score)) throw new MalformedDump('a score is NaN');
    members.push({ member, score });
  }
  return { type: 'zset', members };
};

/** A score in the form before version 8: its length in a byte and the text, or one of three marks. */
const readScoreText = (reader: DumpReader): number => {
  const length = reader.byte();
  if (length === 255) return Number.NEGATIVE_INFINITY;
  if (length === 254) return Number.POSITIVE_INFINITY;
  return length === 253 ? Number.NaN : scoreOf(reader.slice(length));
};

const readNodes = (reader: DumpReader, read: () => Buffer[]): Buffer[] => {
  const count = readLength(reader);
  const elements: Buffer[] = [];
  for (let i = 0; i < count; i++) for (const element of read()) elements.push(element);
  return elements;
};

/** A node of a quicklist: 1 = one element that is large, 2 = a listpack. */
const readNode = (reader: DumpReader): Buffer[] => {
  const container = readLength(reader);
  const bytes = readString(reader);
  if (container === 1) return [bytes];
  if (container !== 2) throw new MalformedDump('a node of a list of no known form');
  return readListpack(bytes);
};

const readStrings = (reader: DumpReader, count: number): Buffer[] => {
  const strings: Buffer[] = [];
  for (let i = 0; i < count; i++) strings.push(readString(reader));
  return strings;
};

/** A string: bytes, a number of 1, 2 or 4 bytes, or LZF. */
const readString = (reader: DumpReader): Buffer => {
  const first = reader.byte();
  if (first >> 6 !== 3) return reader.slice(lengthFrom(reader, first));
  switch (first & 0x3f) {
    case 0:
      return reader.integerText(1);
    case 1:
      return reader.integerText(2);
    case 2:
      return reader.integerText(4);
    case 3: {
      const compressed = readLength(reader);
      const length = readLength(reader);
      return decompressLzf(reader.slice(compressed), length);
    }
    default:
      throw new MalformedDump('a string in no known encoding');
  }
};

const readLength = (reader: DumpReader): number => lengthFrom(reader, reader.byte());

/** 00: 6 bits; 01: 14 bits; 0x80: u32, 0x81: u64, both big-endian. */
const lengthFrom = (reader: DumpReader, first: number): number => {
  switch (first >> 6) {
    case 0:
      return first;
    case 1:
      return ((first & 0x3f) << 8) | reader.byte();
    default:
      if (first === 0x80) return reader.u32BigEndian();
      if (first === 0x81) return reader.u32BigEndian() * 0x1_0000_0000 + reader.u32BigEndian();
      throw new MalformedDump('a length in no known encoding');
  }
};
