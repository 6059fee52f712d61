import { ByteWriter } from '../../resp/index.js';
import type { Change, Transaction } from '../change.js';
import { JsonWriter } from './json-writer.js';

/** Where events come from: the connector's name, and the source's own. */
export interface EventSource {
  readonly connector: string;
  readonly name: string;
}

/**
 * Writes changes as events, version 1: one JSON object each, in the shape of the published schema
 * (docs/change-event.schema.json). Byte strings that are valid UTF-8 are JSON strings, others
 * `{"base64":"…"}`. `tx.size` is the number of changes that the transaction has as it is given.
 * A serializer made for the shape; measured by bench `decode`.
 *
 * @example
 * const encoder = new EventEncoder({ connector: 'kvrocks', name: 'orders' });
 * encoder.append(out, transaction); // lines, for a file
 * for (const change of transaction.changes) send(encoder.encode(transaction, change)); // messages
 */
export class EventEncoder {
  readonly #start: Buffer;
  readonly #json = new JsonWriter();
  readonly #single = new ByteWriter();
  readonly #heads = new Map<string, Buffer>();
  #rangeAt = -1;
  #rangeLength = 0;
  // The head of the last change: most changes have the namespace, op and type of the one before.
  #headNs = '';
  #headOp = '';
  #headType = '';
  #head = noBytes;

  constructor(source: EventSource) {
    const { connector, name } = source;
    this.#start = Buffer.from(`{"v":1,"source":${JSON.stringify({ connector, name })},"seq":`);
  }

  /** Appends one event and a line feed for each change, or for those from `from` to `end`; returns how many. */
  append(out: ByteWriter, transaction: Transaction, from = 0, end = Number.POSITIVE_INFINITY): number {
    const json = this.#json;
    const { changes } = transaction;
    const to = Math.min(end, changes.length);
    json.open(out);
    this.#rangeAt = -1;
    for (let at = from; at < to; at++) {
      this.#write(transaction, changes[at]);
      json.reserve(1);
      json.ascii('\n');
    }
    json.close();
    return to - from;
  }

  /** Appends one event, without line feed. */
  appendOne(out: ByteWriter, transaction: Transaction, change: Change): void {
    this.#json.open(out);
    this.#rangeAt = -1;
    this.#write(transaction, change);
    this.#json.close();
  }

  /** One event, without line feed. The caller owns the bytes. */
  encode(transaction: Transaction, change: Change): Buffer {
    this.appendOne(this.#single, transaction, change);
    const bytes = Buffer.from(this.#single.bytes);
    this.#single.clear();
    return bytes;
  }

  #write(transaction: Transaction, change: Change): void {
    if (change.type !== this.#headType || change.op !== this.#headOp || change.ns !== this.#headNs)
      this.#changeHead(change);
    const json = this.#json;
    json.reserve(this.#start.length + this.#head.length + numbersBytes);
    json.raw(this.#start);
    json.decimal(change.seq);
    json.raw(indexName);
    json.decimal(change.index);
    if (this.#rangeAt >= 0) json.repeat(this.#rangeAt, this.#rangeLength);
    else this.#writeRange(transaction);
    json.raw(this.#head);
    if ('key' in change) {
      json.raw(keyName);
      json.byteString(change.key, tailBytes);
    }
    this.#writeRest(change);
    json.ascii('}');
  }

  /** The transaction's range, the same in all of its events: the following ones copy it from the first. */
  #writeRange(transaction: Transaction): void {
    const json = this.#json;
    const start = json.length;
    json.raw(firstName);
    json.decimal(transaction.first);
    json.raw(lastName);
    json.decimal(transaction.last);
    json.raw(sizeName);
    json.decimal(transaction.changes.length);
    this.#rangeAt = start;
    this.#rangeLength = json.length - start;
  }

  /** What an op and type have besides the key. Every write leaves `tailBytes` reserved. */
  #writeRest(change: Change): void {
    const json = this.#json;
    switch (change.op) {
      case 'put':
        this.#writePut(change);
        return;
      case 'delete':
        if (change.type === 'key') return;
        if (change.type === 'hash') this.#bytes(names.field, change.field);
        else if (change.type === 'stream') this.#quoted(',"id":"', change.id);
        else if (change.type === 'sortedint') this.#quoted(',"id":"', String(change.id));
        else this.#bytes(names.member, change.member);
        return;
      case 'expire':
        this.#number(',"ttlAt":', change.ttlAt);
        if (change.value !== undefined) this.#bytes(names.value, change.value);
        return;
      case 'persist':
        if (change.value !== undefined) this.#bytes(names.value, change.value);
        return;
      case 'push':
        this.#quoted(',"side":"', change.side);
        this.#bytes(names.value, change.value);
        return;
      case 'pop':
        this.#quoted(',"side":"', change.side);
        this.#number(',"count":', change.count);
        return;
      case 'streamMeta':
        json.ascii(',"command":');
        this.#list(change.command);
        return;
      case 'clear':
        if (change.slot !== undefined) this.#number(',"slot":', change.slot);
        return;
      case 'publish':
        this.#bytes(names.channel, change.channel);
        this.#bytes(names.value, change.value);
        return;
      case 'propagate':
        if (change.value !== undefined) this.#bytes(names.value, change.value);
        if (change.keyEnd !== undefined) this.#bytes(names.keyEnd, change.keyEnd);
        return;
    }
  }

  #writePut(change: Extract<Change, { op: 'put' }>): void {
    const json = this.#json;
    switch (change.type) {
      case 'string':
      case 'json':
        this.#bytes(names.value, change.value);
        if (change.ttlAt !== undefined) this.#number(',"ttlAt":', change.ttlAt);
        return;
      case 'hash':
        this.#bytes(names.field, change.field);
        this.#bytes(names.value, change.value);
        return;
      case 'set':
        this.#bytes(names.member, change.member);
        return;
      case 'zset':
        this.#bytes(names.member, change.member);
        json.ascii(',"score":');
        json.ascii(scoreJson(change.score));
        return;
      case 'sortedint':
        this.#quoted(',"id":"', String(change.id));
        return;
      case 'list':
        this.#number(',"listIndex":', change.listIndex);
        this.#bytes(names.value, change.value);
        return;
      case 'stream':
        this.#quoted(',"id":"', change.id);
        json.ascii(',"fields":');
        this.#list(change.fields);
        return;
      case 'bitmap':
        this.#number(',"offset":', change.offset);
        this.#bytes(names.value, change.value);
        if (change.size !== undefined) this.#number(',"size":', change.size);
        return;
      case 'hyperloglog':
        this.#number(',"segment":', change.segment);
        this.#bytes(names.value, change.value);
        return;
    }
  }

  #bytes(name: Buffer, value: Uint8Array): void {
    this.#json.raw(name);
    this.#json.byteString(value, tailBytes);
  }

  /** `name` ends with the opening quote; `value` needs no escapes. */
  #quoted(name: string, value: string): void {
    const json = this.#json;
    json.reserve(name.length + value.length + tailBytes);
    json.ascii(name);
    json.ascii(value);
    json.ascii('"');
  }

  #number(name: string, value: number): void {
    const json = this.#json;
    json.ascii(name);
    if (value < 0) json.ascii(String(value));
    else json.decimal(value);
    json.reserve(tailBytes);
  }

  #list(values: readonly (string | Uint8Array)[]): void {
    const json = this.#json;
    for (let at = 0; at < values.length; at++) {
      const value = values[at];
      json.ascii(at === 0 ? '[' : ',');
      json.byteString(typeof value === 'string' ? Buffer.from(value) : value, tailBytes);
    }
    json.ascii(values.length === 0 ? '[]' : ']');
  }

  #changeHead(change: Change): void {
    const { ns, op, type } = change;
    const name = `${op} ${type} ${ns}`;
    let head = this.#heads.get(name);
    if (head === undefined) {
      head = Buffer.from(`},"ns":${JSON.stringify(ns)},"op":"${op}","type":"${type}"`);
      if (this.#heads.size >= maxHeads) this.#heads.clear();
      this.#heads.set(name, head);
    }
    this.#headNs = ns;
    this.#headOp = op;
    this.#headType = type;
    this.#head = head;
  }
}

/** JSON has no infinity: those two scores are strings. */
const scoreJson = (score: number): string => {
  if (score === Number.POSITIVE_INFINITY) return '"inf"';
  if (score === Number.NEGATIVE_INFINITY) return '"-inf"';
  return Object.is(score, -0) ? '-0' : String(score);
};

const indexName = Buffer.from(',"index":');
const firstName = Buffer.from(',"tx":{"first":');
const lastName = Buffer.from(',"last":');
const sizeName = Buffer.from(',"size":');
const keyName = Buffer.from(',"key":');

const names = {
  field: Buffer.from(',"field":'),
  value: Buffer.from(',"value":'),
  member: Buffer.from(',"member":'),
  channel: Buffer.from(',"channel":'),
  keyEnd: Buffer.from(',"keyEnd":'),
} as const;

/** Room for the numbers of every event, the names before them, and what `tailBytes` promises. */
const numbersBytes = 256;
/** What each write leaves reserved behind it: the next name, a number or score, a bracket. */
const tailBytes = 128;
const maxHeads = 1000;
const noBytes: Buffer = Buffer.alloc(0);
