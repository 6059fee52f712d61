import { readOrderedDouble } from '../../bytes/index.js';
import type { ByteWriter } from '../../resp/index.js';
import { singleValueHeaderBytes } from '../encoding/metadata.js';
import { TypeNumber } from '../encoding/type-number.js';
import { areShortWords } from '../key-records/element-word.js';
import { KeyRecordsReader } from '../key-records/key-records-reader.js';
import type { WholeKeys } from '../key-records/whole-keys.js';
import { type CommandName, commandName } from './command-target.js';
import { maxFolded, maxFoldedBytes, mset } from './folded-sets.js';
import { appendHashDump, maxDumpedBytes } from './hash-dump.js';
import type { RedisMapping } from './redis-mapping.js';
import { scoreText } from './score-text.js';

/**
 * The commands that make whole keys, from their records straight to RESP: the same, byte for byte, as those that
 * RedisCommandWriter makes of their changes, without a change in between. But small hashes go as a dump to servers that take
 * it. Hot: bench `migrate`.
 */
export class WholeKeysWriter {
  readonly #out: ByteWriter;
  readonly #prefix: Buffer;
  readonly #foldsSets: boolean;
  readonly #restoresHashes: boolean;
  readonly #ttlGraceMs: number;
  #commands = 0;

  /** @param prefix what the keys start with in the target */
  constructor(out: ByteWriter, prefix: Buffer, mapping: RedisMapping) {
    this.#out = out;
    this.#prefix = prefix;
    this.#foldsSets = mapping.foldSets ?? false;
    this.#restoresHashes = mapping.restoreHashes ?? false;
    this.#ttlGraceMs = mapping.ttlGraceMs ?? 0;
  }

  /** Appends the commands; returns how many. */
  write({ page, start, end }: WholeKeys): number {
    this.#commands = 0;
    const reader = new KeyRecordsReader(page, start, end);
    while (reader.next()) {
      const type = reader.typeNumber;
      if (type === TypeNumber.hash && this.#restoresHashes && isSmall(reader)) this.#dump(reader);
      else if (type !== TypeNumber.string) this.#collection(reader);
      else if (reader.expireMs !== 0) this.#expiringString(reader);
      else this.#strings(reader, this.#foldsSets ? countPlainStrings(page, reader.start, end) : 1);
    }
    return this.#commands;
  }

  /** The string where the reader stands with those behind it, `count` in all. */
  #strings(reader: KeyRecordsReader, count: number): void {
    this.#start(count === 1 ? names.set : mset, 1 + 2 * count);
    for (let left = count; ; reader.next()) {
      this.#key(reader);
      this.#stringValue(reader);
      if (--left === 0) return;
    }
  }

  #expiringString(reader: KeyRecordsReader): void {
    this.#start(names.set, 5);
    this.#key(reader);
    this.#stringValue(reader);
    this.#out.bulkText('PXAT');
    this.#out.bulkText(String(reader.expireMs + this.#ttlGraceMs));
  }

  /** Instead of whatever stands under the key. */
  #dump(reader: KeyRecordsReader): void {
    this.#start(names.restore, 6);
    this.#key(reader);
    const expireMs = reader.expireMs;
    this.#out.bulkText(expireMs === 0 ? '0' : String(expireMs + this.#ttlGraceMs));
    appendHashDump(this.#out, reader.bytes, reader.elementsStart, reader.end, reader.size);
    this.#out.raw(replaceUntil);
  }

  #collection(reader: KeyRecordsReader): void {
    const type = reader.typeNumber;
    this.#start(names.del, 2);
    this.#key(reader);
    const size = reader.size;
    const wordsOfElement = type === TypeNumber.hash || type === TypeNumber.zset ? 2 : 1;
    for (let left = size; left > 0; ) {
      const count = Math.min(left, maxFolded);
      this.#start(nameOf(type), 2 + wordsOfElement * count);
      this.#key(reader);
      for (let at = 0; at < count && reader.nextElement(); at++) this.#element(reader, type);
      left -= count;
    }
    const expireMs = reader.expireMs;
    if (expireMs === 0) return;
    this.#start(names.pexpireat, 3);
    this.#key(reader);
    this.#out.bulkText(String(expireMs + this.#ttlGraceMs));
  }

  #element(reader: KeyRecordsReader, type: number): void {
    const { bytes, subKeyStart, subKeyEnd, valueStart, valueEnd } = reader;
    const out = this.#out;
    if (type === TypeNumber.zset) out.bulkText(scoreText(readOrderedDouble(bytes, valueStart)));
    if (type !== TypeNumber.list) out.bulkSlice(bytes, subKeyStart, subKeyEnd);
    if (type === TypeNumber.hash || type === TypeNumber.list) out.bulkSlice(bytes, valueStart, valueEnd);
  }

  #start(name: CommandName, words: number): void {
    this.#commands++;
    this.#out.arrayHeader(words);
    this.#out.raw(name.bulk);
  }

  #key({ bytes, userKeyStart, metadataKeyEnd }: KeyRecordsReader): void {
    if (this.#prefix.length === 0) this.#out.bulkSlice(bytes, userKeyStart, metadataKeyEnd);
    else this.#out.bulk(Buffer.concat([this.#prefix, bytes.subarray(userKeyStart, metadataKeyEnd)]));
  }

  #stringValue({ bytes, metadataStart, metadataEnd }: KeyRecordsReader): void {
    this.#out.bulkSlice(bytes, metadataStart + singleValueHeaderBytes, metadataEnd);
  }
}

/** How many strings without an expiry follow each other from `start` on, as far as they go into one command. */
const countPlainStrings = (page: Buffer, start: number, end: number): number => {
  const reader = new KeyRecordsReader(page, start, end);
  let count = 0;
  let bytes = 0;
  while (count < maxFolded && bytes < maxFoldedBytes && reader.next()) {
    if (reader.typeNumber !== TypeNumber.string || reader.expireMs !== 0) break;
    bytes += reader.metadataEnd - reader.metadataStart - singleValueHeaderBytes;
    count++;
  }
  return count;
};

/** True when a server keeps the hash in one piece: then it can be given to it so. */
const isSmall = ({ bytes, elementsStart, end }: KeyRecordsReader): boolean =>
  end - elementsStart <= maxDumpedBytes && areShortWords(bytes, elementsStart, end);

const names = {
  set: commandName('SET'),
  del: commandName('DEL'),
  hset: commandName('HSET'),
  sadd: commandName('SADD'),
  zadd: commandName('ZADD'),
  rpush: commandName('RPUSH'),
  pexpireat: commandName('PEXPIREAT'),
  restore: commandName('RESTORE'),
} as const;

/** The last words of a RESTORE: in place of another value, and the expiry is a time. */
const replaceUntil = Buffer.from('$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n');

const nameOf = (type: number): CommandName => {
  switch (type) {
    case TypeNumber.hash:
      return names.hset;
    case TypeNumber.set:
      return names.sadd;
    case TypeNumber.zset:
      return names.zadd;
    case TypeNumber.list:
      return names.rpush;
    default:
      throw new RangeError(`whole keys of type ${type}, which is written otherwise`);
  }
};
