import { copyOf } from '../../../bytes/index.js';
import type { ValueType } from '../../change.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { fieldLayoutOf } from '../../encoding/hash-encoding.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import {
  encodeListEnds,
  listPositionBytes,
  newListEnds,
  writeListPosition,
} from '../../encoding/list-encoding.js';
import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import { encodeScore, encodeScoreKey } from '../../encoding/zset-encoding.js';
import { optionWord, parseInteger } from '../arguments.js';
import { readBits } from '../bitmaps/bit-value.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { absoluteExpiry } from '../expiry.js';
import { ErrorReply, ok, type Reply, refusal } from '../reply.js';
import { writeString } from '../strings/string-value.js';
import { ByteSet, forEachSubKey } from '../sub-keys.js';
import { scoreIn } from '../zsets/zset-value.js';
import { openDump, sealDump } from './dump-payload.js';
import type { DumpedValue, HashField } from './dumped-value.js';
import { readDumpedValue } from './rdb-reader.js';
import { writeDumpedValue } from './rdb-writer.js';

/** DUMP: the value in the form of Redis' RDB files. Bitmaps are strings there; types that Redis lacks are refused. */
const dump = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const metadata = context.findAny(key);
  if (metadata === undefined) return null;
  const value = dumpedValueOf(context, key, metadata);
  return value === undefined
    ? new ErrorReply(`ERR a ${metadata.type} cannot be dumped: copy it by RECORDS or from the log`)
    : sealDump(writeDumpedValue(value));
};

const dumpedValueOf = (context: CommandContext, key: Buffer, metadata: Metadata): DumpedValue | undefined => {
  const { type, size } = metadata;
  const entries = <Entry>(make: (subKey: Buffer, value: Buffer) => Entry): Entry[] => {
    const found: Entry[] = [];
    const prefix = context.subKeyPrefix(key, metadata);
    forEachSubKey(context, ColumnFamily.subKeys, prefix, (key, start, end, value, valueStart, valueEnd) => {
      found.push(make(copyOf(key, start, end), copyOf(value, valueStart, valueEnd)));
      return true;
    });
    return found;
  };
  switch (type) {
    case 'string':
      return { type, value: metadata.payload };
    case 'bitmap':
      return { type: 'string', value: readBits(context, { key, metadata, length: size }, 0, size) };
    case 'hash':
      if (fieldLayoutOf(metadata.payload) !== 'plain') return undefined;
      return {
        type,
        fields: entries((field, value) => ({ field, value })),
      };
    case 'list':
      return { type, elements: entries((_, value) => value) };
    case 'set':
      return { type, members: entries((member) => member) };
    case 'zset':
      return {
        type,
        members: entries((member, value) => ({ member, score: scoreIn(value) })),
      };
    default:
      return undefined;
  }
};

/** `RESTORE key ttl dump [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]` */
const restore = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  let replaces = false;
  let isAbsolute = false;
  for (let i = 4; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'REPLACE') replaces = true;
    else if (word === 'ABSTTL') isAbsolute = true;
    else if ((word === 'IDLETIME' || word === 'FREQ') && i + 1 < args.length) {
      const number = parseInteger(args[++i]); // what they tell of use is not kept here
      if (number === undefined || number < 0) return refusal.notInteger;
    } else return refusal.syntax;
  }
  if (!replaces && context.findAny(key) !== undefined)
    return new ErrorReply('BUSYKEY Target key name already exists.');
  const ttl = parseInteger(args[2]);
  if (ttl === undefined) return refusal.notInteger;
  if (ttl < 0) return new ErrorReply('ERR Invalid TTL value, must be >= 0');
  const expireMs = ttl === 0 ? 0 : absoluteExpiry(ttl, false, isAbsolute ? 0 : context.nowMs());
  if (expireMs === undefined) return new ErrorReply('ERR Invalid TTL value, must be >= 0');
  const content = openDump(args[3]);
  if (content === undefined) return new ErrorReply('ERR DUMP payload version or checksum are wrong');
  const value = readDumpedValue(content);
  if (value === undefined) return new ErrorReply('ERR Bad data format');
  if (expireMs !== 0 && expireMs <= context.nowMs()) {
    // Gone before it is there, as in Redis.
    if (context.findAny(key) === undefined) return ok;
    context.batch.logData(encodeLogData(undefined));
    context.deleteMetadata(key);
    return ok;
  }
  return writeValue(context, key, value, expireMs) ? ok : new ErrorReply('ERR Bad data format');
};

/** False when the value has no elements, or one of them twice: no Redis has such a one. */
const writeValue = (context: CommandContext, key: Buffer, value: DumpedValue, expireMs: number): boolean => {
  if (value.type === 'string') {
    writeString(context, key, value.value, expireMs);
    return true;
  }
  const writer = new ElementWriter(context, key, value.type, expireMs);
  switch (value.type) {
    case 'list':
      return writer.list(value.elements);
    case 'hash':
      return writer.hash(value.fields);
    case 'set':
      for (const member of value.members) writer.put(member, noBytes);
      return writer.finish();
    case 'zset':
      for (const { member, score } of value.members) {
        writer.put(member, encodeScore(score));
        context.batch.put(ColumnFamily.scores, encodeScoreKey(writer.prefix, score, member), noBytes);
      }
      return writer.finish();
  }
};

/** Writes a key anew with all its elements, the metadata last, as the commands do that fill a new key. */
class ElementWriter {
  readonly prefix: Buffer;
  readonly #context: CommandContext;
  readonly #key: Buffer;
  readonly #metadata: Metadata;
  readonly #seen = new ByteSet();
  #count = 0;

  constructor(context: CommandContext, key: Buffer, type: ValueType, expireMs: number) {
    this.#context = context;
    this.#key = key;
    this.#metadata = { ...context.create(type), expireMs };
    this.prefix = context.subKeyPrefix(key, this.#metadata);
    context.batch.logData(type === 'list' ? encodeLogData(type, LogCommand.rpush) : encodeLogData(type));
  }

  put(subKey: Buffer, value: Buffer): void {
    this.#count++;
    this.#seen.add(subKey);
    this.#context.batch.put(ColumnFamily.subKeys, encodeInternalKey(this.prefix, subKey), value);
  }

  hash(fields: readonly HashField[]): boolean {
    for (const { field, value } of fields) this.put(field, value);
    return this.finish();
  }

  list(elements: readonly Buffer[]): boolean {
    const { head } = newListEnds;
    for (const [index, element] of elements.entries()) {
      const position = Buffer.allocUnsafe(listPositionBytes);
      writeListPosition(position, 0, head + index);
      this.put(position, element);
    }
    return this.finish(encodeListEnds({ head, tail: head + elements.length }));
  }

  finish(payload: Buffer = noBytes): boolean {
    if (this.#count === 0 || this.#seen.size !== this.#count) return false;
    this.#context.putMetadata(this.#key, { ...this.#metadata, size: this.#count, payload });
    return true;
  }
}

const noBytes = Buffer.alloc(0);

/** DUMP and RESTORE, in Redis' own format of values. */
export const dumpCommands: readonly DataCommand[] = [
  readCommand('dump', 2, oneKey, dump),
  writeCommand('restore', -4, oneKey, restore),
];
