import {
  type Change,
  type Rejection,
  StringPutTransaction,
  TailraceError,
  type Transaction,
  Turns,
} from '../../src/kit/index.js';
import { BlockMemory } from './block-memory.js';
import { changeDetails } from './change-details.js';
import type { Connection } from './connection.js';
import { CopyRows } from './copy-rows.js';
import type { FieldWriter } from './field-bytes.js';
import { quoted, quotedTable, shownTable, type TableName } from './identifier.js';
import type { EncodedBatch, Layout } from './layout.js';
import { sqlStateOf } from './refusal.js';
import { StringPutRows } from './string-put-rows.js';
import { type Column, ensureTable } from './table-schema.js';
import { type ByteColumn, isText, maxRowBytes, refusedEntryBytes } from './text-bytes.js';

export interface ChangelogOptions {
  readonly table: TableName;
  /** Type of the columns `key` and `field`. */
  readonly keys: ByteColumn;
  /** Type of the column `value`. */
  readonly values: ByteColumn;
}

/**
 * Every change as a row of one table, copied straight in. What most changes have stands in columns of its own,
 * the rest in `details`.
 */
export class Changelog implements Layout {
  readonly target: string;
  readonly tables: readonly TableName[];
  readonly #options: ChangelogOptions;
  readonly #columns: readonly Column[];
  readonly #copy: string;
  readonly #stringPuts: StringPutRows;
  readonly #memory = new BlockMemory();

  constructor(options: ChangelogOptions) {
    this.#options = options;
    this.tables = [options.table];
    this.#stringPuts = new StringPutRows(options.keys, options.values);
    this.target = `changelog ${shownTable(options.table)}`;
    this.#columns = [
      { name: 'seq', type: 'bigint', isRequired: true },
      { name: 'index', type: 'integer', isRequired: true },
      { name: 'tx_first', type: 'bigint', isRequired: true },
      { name: 'tx_last', type: 'bigint', isRequired: true },
      { name: 'ns', type: 'text', isRequired: true },
      { name: 'op', type: 'text', isRequired: true },
      { name: 'type', type: 'text', isRequired: true },
      { name: 'key', type: options.keys },
      { name: 'field', type: options.keys },
      { name: 'value', type: options.values },
      { name: 'score', type: 'double precision' },
      { name: 'ttl_at', type: 'timestamp with time zone' },
      { name: 'details', type: 'jsonb' },
    ];
    const names = this.#columns.map(({ name }) => quoted(name)).join(', ');
    this.#copy = `COPY ${quotedTable(options.table)} (${names}) FROM STDIN (FORMAT binary)`;
  }

  async prepare(connection: Connection): Promise<void> {
    const { table } = this.#options;
    await ensureTable(connection, { table, columns: this.#columns, primaryKey: ['seq', 'index'] });
  }

  /** Hot; measured by bench `postgres-sink`. */
  async encode(transactions: readonly Transaction[]): Promise<EncodedBatch> {
    const rejections: Rejection[] = [];
    const rows = new CopyRows(this.#columns.length, this.#memory);
    const turns = new Turns();
    for (let transaction = 0; transaction < transactions.length; transaction++) {
      const one = transactions[transaction];
      if (one instanceof StringPutTransaction && this.#stringPuts.add(rows, one)) continue;
      const { first, last, changes } = one;
      for (let change = 0; change < changes.length; change++) {
        const reason = this.#refusalOf(changes[change]);
        if (reason !== undefined) rejections.push({ transaction, change, reason });
        else if (rejections.length === 0) this.#addRow(rows.start(), first, last, changes[change]);
        if (turns.isOverAfterStep()) await turns.next();
      }
    }
    return {
      rejections,
      apply: async (connection) => connection.ahead({ statement: this.#copy, data: rows.take() }),
      release: () => rows.release(),
    };
  }

  explain(error: unknown): TailraceError | undefined {
    if (sqlStateOf(error) !== uniqueViolation) return undefined;
    const table = shownTable(this.#options.table);
    return new TailraceError('HISTORY_MISMATCH', `${table} has other changes with these sequence numbers`, {
      context: { table },
      remedy: 'Another pipeline, or one on another history of the source, wrote them: use a table for each.',
      cause: error,
    });
  }

  #refusalOf(change: Change): string | undefined {
    const { keys, values } = this.#options;
    const key = keyOf(change);
    const field = fieldOf(change);
    const value = this.#valueOf(change);
    const isKeyText =
      keys === 'bytea' || (isTextOrNone(key) && (typeof field === 'string' || isTextOrNone(field)));
    if (!isKeyText) return 'the key or field is no text (UTF-8 without NUL): set keys to bytea';
    if (values === 'text' && !isTextOrNone(value))
      return 'the value is no text (UTF-8 without NUL): set values to bytea';
    if (change.op === 'put' && change.type === 'stream') {
      const reason = refusedEntryBytes(change.fields.reduce((bytes, each) => bytes + each.length, 0));
      if (reason !== undefined) return reason;
    }
    const rowBytes = (key?.length ?? 0) + (field?.length ?? 0) + (value?.length ?? 0);
    return rowBytes > maxRowBytes ? `its ${rowBytes} bytes are more than a row of Postgres holds` : undefined;
  }

  #addRow(rows: FieldWriter, first: number, last: number, change: Change): void {
    rows.int8(change.seq);
    rows.int4(change.index);
    rows.int8(first);
    rows.int8(last);
    rows.text(change.ns);
    rows.text(change.op);
    rows.text(change.type);
    addBytes(rows, keyOf(change));
    const field = fieldOf(change);
    if (typeof field === 'string') rows.text(field);
    else addBytes(rows, field);
    addBytes(rows, this.#valueOf(change));
    if (change.type === 'zset' && change.op === 'put') rows.float8(change.score);
    else rows.null();
    const ttlAt = 'ttlAt' in change ? change.ttlAt : undefined;
    if (ttlAt === undefined) rows.null();
    else rows.timestamp(ttlAt);
    const details = changeDetails(change, this.#options.values);
    if (details === undefined) rows.null();
    else rows.jsonb(JSON.stringify(details));
  }

  /** Bitmaps and HyperLogLogs are no text by nature: in a text column they would be refused, so `details` has them. */
  #valueOf(change: Change): Uint8Array | undefined {
    if (!('value' in change)) return undefined;
    const isBinary = change.type === 'bitmap' || change.type === 'hyperloglog' || change.op === 'propagate';
    return isBinary && this.#options.values === 'text' ? undefined : change.value;
  }
}

const keyOf = (change: Change): Uint8Array | undefined =>
  change.op === 'publish'
    ? change.channel
    : change.op === 'propagate' || change.op === 'clear'
      ? undefined
      : change.key;

/** Field of a hash, member of a set or sorted set, id of a stream entry or sorted int. */
const fieldOf = (change: Change): Uint8Array | string | undefined => {
  switch (change.type) {
    case 'hash':
      return 'field' in change ? change.field : undefined;
    case 'set':
    case 'zset':
      return 'member' in change ? change.member : undefined;
    case 'stream':
    case 'sortedint':
      return 'id' in change ? String(change.id) : undefined;
    default:
      return undefined;
  }
};

const isTextOrNone = (bytes: Uint8Array | undefined): boolean => bytes === undefined || isText(bytes);

const addBytes = (rows: FieldWriter, bytes: Uint8Array | undefined): void => {
  if (bytes === undefined) rows.null();
  else rows.bytes(bytes);
};

const uniqueViolation = '23505';
