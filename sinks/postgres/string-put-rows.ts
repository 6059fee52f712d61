import type { StringPutTransaction } from '../../src/kit/index.js';
import type { CopyRows } from './copy-rows.js';
import { FieldBytes } from './field-bytes.js';
import { type ByteColumn, isTextAt, maxRowBytes } from './text-bytes.js';

/**
 * The rows that batches of one SET become in a changelog, written from the places of key and value, without the change in
 * between. Most batches are such. Hot; measured by bench `postgres-sink`.
 *
 *   head, alike but for the sequence number, three times | key | NULL | value | NULL | expiry | NULL
 *   seq, index, tx_first, tx_last, ns, op, type            key   field  value   score  ttl_at   details
 */
export class StringPutRows {
  readonly #keys: ByteColumn;
  readonly #values: ByteColumn;
  #ns: string | undefined;
  #head: Buffer = Buffer.alloc(0);

  constructor(keys: ByteColumn, values: ByteColumn) {
    this.#keys = keys;
    this.#values = values;
  }

  /** Adds its row; false, having done nothing, when the columns cannot hold it. */
  add(rows: CopyRows, put: StringPutTransaction): boolean {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd, ttlAt } = put;
    if (bytes.length > maxRowBytes) return false;
    if (this.#keys === 'text' && !isTextAt(bytes, keyStart, keyEnd)) return false;
    if (this.#values === 'text' && !isTextAt(bytes, valueStart, valueEnd)) return false;
    if (put.ns !== this.#ns) this.#startNamespace(put.ns);
    const head = this.#head;
    const high = Math.floor(put.first / 0x1_0000_0000);
    for (const at of sequencePlaces) {
      head.writeUInt32BE(high, at);
      head.writeUInt32BE(put.first - high * 0x1_0000_0000, at + 4);
    }
    const row = rows.start();
    row.raw(head);
    row.slice(bytes, keyStart, keyEnd);
    row.null();
    row.slice(bytes, valueStart, valueEnd);
    row.null();
    if (ttlAt === undefined) row.null();
    else row.timestamp(ttlAt);
    row.null();
    return true;
  }

  #startNamespace(ns: string): void {
    const head = new FieldBytes();
    head.int8(0);
    head.int4(0);
    head.int8(0);
    head.int8(0);
    head.text(ns);
    head.text('put');
    head.text('string');
    this.#ns = ns;
    this.#head = Buffer.concat(head.take());
  }
}

/** Of seq, tx_first and tx_last, each behind its length; a change of one batch has the index 0. */
const sequencePlaces = [4, 24, 36];
