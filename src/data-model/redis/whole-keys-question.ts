import { readOrderedDouble } from '../../bytes/index.js';
import type { ByteWriter, Reply } from '../../resp/index.js';
import { singleValueHeaderBytes } from '../encoding/metadata.js';
import { TypeNumber } from '../encoding/type-number.js';
import { KeyRecordsReader } from '../key-records/key-records-reader.js';
import type { WholeKeys } from '../key-records/whole-keys.js';
import { type CommandName, commandName } from './command-target.js';

/** How the server calls the keys, and what counts as the same. */
export interface WholeKeysQuestionOptions {
  /** What the keys start with at the server. */
  readonly prefix: Buffer;
  /** Which of the names are asked for; default: all. */
  readonly isAsked?: ((name: Buffer) => boolean) | undefined;
  /** False where no key of the server expires. */
  readonly asksExpiry: boolean;
  /** By how much expiries may differ, in ms. */
  readonly ttlToleranceMs: number;
}

/**
 * Whether a server has whole keys just so, asked in the order of their records: how many elements there are, and what it
 * has of these. So the answers are compared with the records place by place, without a change or a text in between.
 * Hot: bench `migrate`.
 *
 *   string   GET                      set    SCARD  SMISMEMBER member …
 *   hash     HLEN  HMGET field …      zset   ZCARD  ZMSCORE member …
 *                                     list   LLEN   LRANGE
 */
export class WholeKeysQuestion {
  readonly #keys: WholeKeys;
  readonly #options: WholeKeysQuestionOptions;

  constructor(keys: WholeKeys, options: WholeKeysQuestionOptions) {
    this.#keys = keys;
    this.#options = options;
  }

  /** Appends the commands; returns how many. */
  write(out: ByteWriter): number {
    let commands = 0;
    const { asksExpiry } = this.#options;
    for (const reader of this.#asked()) {
      const name = this.#nameAt(reader);
      const { lengthOf, elementsOf } = questions[reader.typeNumber] ?? unknown;
      commands += 1 + (asksExpiry ? 1 : 0);
      begin(out, lengthOf, name, 0);
      const size = reader.size;
      for (let from = 0; from < size; from += elementsAtOnce) {
        const count = Math.min(elementsAtOnce, size - from);
        commands++;
        if (elementsOf === names.lrange) {
          begin(out, elementsOf, name, 2);
          out.bulkText(String(from));
          out.bulkText(String(from + count - 1));
        } else {
          begin(out, elementsOf, name, count);
          for (let left = count; left > 0 && reader.nextElement(); left--)
            out.bulkSlice(reader.bytes, reader.subKeyStart, reader.subKeyEnd);
        }
      }
      if (asksExpiry) begin(out, names.pexpiretime, name, 0);
    }
    return commands;
  }

  /** The keys, as they are called at the source, of which the server has something else than the records; owned. */
  different(replies: readonly Reply[]): { readonly key: Buffer; readonly byteLength: number }[] {
    const keys: { readonly key: Buffer; readonly byteLength: number }[] = [];
    let at = 0;
    for (const reader of this.#asked()) {
      const size = reader.size;
      let isSame = isLength(reader, replies[at++]);
      for (let from = 0; from < size; from += elementsAtOnce) {
        const count = Math.min(elementsAtOnce, size - from);
        isSame = isSame && areElements(reader, replies[at], count);
        at++;
      }
      const expiry = this.#options.asksExpiry ? replies[at++] : -1;
      isSame = isSame && this.#isExpiry(reader, expiry);
      if (!isSame) keys.push({ key: Buffer.from(userKeyAt(reader)), byteLength: reader.end - reader.start });
    }
    return keys;
  }

  #isExpiry({ expireMs }: KeyRecordsReader, reply: Reply): boolean {
    if (expireMs === 0 || reply === -1) return expireMs === 0 && reply === -1;
    return typeof reply === 'number' && Math.abs(reply - expireMs) <= this.#options.ttlToleranceMs;
  }

  *#asked(): Generator<KeyRecordsReader> {
    const { page, start, end } = this.#keys;
    const { isAsked } = this.#options;
    const reader = new KeyRecordsReader(page, start, end);
    while (reader.next()) if (isAsked === undefined || isAsked(this.#nameAt(reader))) yield reader;
  }

  #nameAt(reader: KeyRecordsReader): Buffer {
    const { prefix } = this.#options;
    const key = userKeyAt(reader);
    return prefix.length === 0 ? key : Buffer.concat([prefix, key]);
  }
}

const begin = (out: ByteWriter, command: CommandName, name: Buffer, more: number): void => {
  out.arrayHeader(2 + more);
  out.raw(command.bulk);
  out.bulk(name);
};

/** The value of a string, or how many elements a collection has. */
const isLength = (reader: KeyRecordsReader, reply: Reply): boolean => {
  if (reader.typeNumber !== TypeNumber.string) return reply === reader.size;
  return isAt(reply, reader.bytes, reader.metadataStart + singleValueHeaderBytes, reader.metadataEnd);
};

/** The next `count` elements, as they were asked for. */
const areElements = (reader: KeyRecordsReader, reply: Reply, count: number): boolean => {
  if (!Array.isArray(reply) || reply.length !== count) return false;
  const type = reader.typeNumber;
  for (let at = 0; at < count; at++) {
    if (!reader.nextElement()) return false;
    const found = reply[at];
    const { bytes, valueStart, valueEnd } = reader;
    const isSame =
      type === TypeNumber.set
        ? found === 1
        : type === TypeNumber.zset
          ? found instanceof Buffer && readScore(found) === readOrderedDouble(bytes, valueStart)
          : isAt(found, bytes, valueStart, valueEnd);
    if (!isSame) return false;
  }
  return true;
};

const isAt = (found: Reply, bytes: Buffer, start: number, end: number): boolean => {
  if (!(found instanceof Buffer) || found.length !== end - start) return false;
  if (found.length > looped) return bytes.compare(found, 0, found.length, start, end) === 0;
  for (let at = 0; at < found.length; at++) if (found[at] !== bytes[start + at]) return false;
  return true;
};

const readScore = (text: Buffer): number => Number(text.toString('latin1').replace('inf', 'Infinity'));

const userKeyAt = ({ bytes, userKeyStart, metadataKeyEnd }: KeyRecordsReader): Buffer =>
  bytes.subarray(userKeyStart, metadataKeyEnd);

/** So few bytes are compared faster here than by a call. */
const looped = 64;
/** Elements that one command asks for. */
const elementsAtOnce = 1_000;

const names = { lrange: commandName('LRANGE'), pexpiretime: commandName('PEXPIRETIME') } as const;

interface Question {
  readonly lengthOf: CommandName;
  readonly elementsOf: CommandName;
}
const ask = (length: string, elements: string): Question => ({
  lengthOf: commandName(length),
  elementsOf: elements === 'LRANGE' ? names.lrange : commandName(elements),
});
/** Fits no value, whatever the answer. */
const unknown = ask('TYPE', 'TYPE');
const questions: readonly (Question | undefined)[] = Object.assign(new Array<Question | undefined>(16), {
  [TypeNumber.string]: ask('GET', 'GET'),
  [TypeNumber.hash]: ask('HLEN', 'HMGET'),
  [TypeNumber.set]: ask('SCARD', 'SMISMEMBER'),
  [TypeNumber.zset]: ask('ZCARD', 'ZMSCORE'),
  [TypeNumber.list]: ask('LLEN', 'LRANGE'),
});
