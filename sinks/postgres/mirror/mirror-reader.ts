import { type Change, TailraceError, type ValueType } from '../../../src/kit/index.js';
import { Connection, placeOf } from '../connection.js';
import { quotedTable, shownTable } from '../identifier.js';
import { asSinkError } from '../refusal.js';
import { type ByteColumn, isText, keyText } from '../text-bytes.js';
import { changesOf, type PartRow, partTables } from './mirror-rows.js';

/** A mirror as a reader finds it. */
export interface MirrorPlace {
  readonly url: string;
  /** Overrides the password of the URL; empty: does not. */
  readonly password: string;
  readonly schema: string;
}

/** A string of a mirror. */
export interface MirrorString {
  /** null = there is no such string. */
  readonly value: Buffer | null;
  /** ms since the epoch */
  readonly ttlAt: number | undefined;
}

/**
 * Reads keys from the tables of a mirror, for comparing them with their source. What has expired counts as gone, though its rows
 * are still there. One call at a time; a connection that is lost is opened anew by the next one.
 *
 * @throws of each call TailraceError `SINK_UNREACHABLE` (may be tried again) | `SINK_REFUSED`
 */
export class MirrorReader {
  readonly #place: MirrorPlace;
  #connection: Connection | undefined;
  #keyType: ByteColumn = 'text';

  constructor(place: MirrorPlace) {
    this.#place = place;
  }

  /** The strings of keys of a namespace. */
  strings(ns: string, keys: readonly Buffer[], signal: AbortSignal): Promise<MirrorString[]> {
    return this.#run(signal, async (connection) => {
      const rows = await this.#rowsOf(connection, 'strings', ['value', expiry], ns, keys);
      const found = new Map(rows.map((row) => [keyText(bytesOf(row['key'])), row]));
      return keys.map((key): MirrorString => {
        const row = found.get(keyText(key));
        if (row === undefined) return { value: null, ttlAt: undefined };
        return { value: bytesOf(row['value']), ttlAt: ttlOf(row) };
      });
    });
  }

  /**
   * What makes keys of a namespace, of whatever type, from nothing, all as of one moment; nothing of those that are not
   * there.
   */
  changes(ns: string, keys: readonly Buffer[], signal: AbortSignal): Promise<Change[][]> {
    return this.#run(signal, async (connection) => {
      await connection.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const found = new Map<string, Change[]>();
      const base = (key: Buffer) => ({ seq: 0, index: 0, ns, key });
      for (const row of await this.#rowsOf(connection, 'strings', ['value', expiry], ns, keys)) {
        const key = bytesOf(row['key']);
        const value = bytesOf(row['value']);
        found.set(keyText(key), [{ ...base(key), op: 'put', type: 'string', value, ttlAt: ttlOf(row) }]);
      }
      for (const row of await this.#rowsOf(connection, 'json', ['document::text', expiry], ns, keys)) {
        const key = bytesOf(row['key']);
        const value = bytesOf(row['document']);
        found.set(keyText(key), [{ ...base(key), op: 'put', type: 'json', value, ttlAt: ttlOf(row) }]);
      }
      const collections = await this.#rowsOf(connection, 'collections', ['type', 'size', expiry], ns, keys);
      const byType = grouped(collections, ({ type }) => String(type) as ValueType);
      for (const [type, rows] of byType) {
        const parts = await this.#parts(
          connection,
          type,
          ns,
          rows.map((row) => bytesOf(row['key'])),
        );
        for (const row of rows) {
          const key = bytesOf(row['key']);
          const of = (table: string): readonly PartRow[] => parts.get(table)?.get(keyText(key)) ?? [];
          const changes = changesOf({ ns, key, type, size: Number(row['size'] ?? 0), rowsOf: of });
          const ttlAt = ttlOf(row);
          if (ttlAt !== undefined && changes.length > 0)
            changes.push({ ...base(key), op: 'expire', type, ttlAt, value: undefined });
          found.set(keyText(key), changes);
        }
      }
      await connection.query('COMMIT');
      return keys.map((key) => found.get(keyText(key)) ?? []);
    });
  }

  /** How many keys namespaces have. */
  count(namespaces: readonly string[], signal: AbortSignal): Promise<number> {
    return this.#run(signal, async (connection) => {
      const counts = keyTables.map(
        (name) => `(SELECT count(*) FROM ${this.#table(name)} WHERE ns = ANY ($1) AND ${isAlive})`,
      );
      const { rows } = await connection.query<{ n: string }>(`SELECT ${counts.join(' + ')} AS n`, [
        namespaces,
      ]);
      return Number(rows[0].n);
    });
  }

  /** All keys of namespaces, page by page. */
  async *names(namespaces: readonly string[], signal: AbortSignal): AsyncGenerator<readonly MirrorName[]> {
    for (const ns of namespaces)
      for (const table of keyTables)
        for (let after: Buffer | undefined; ; ) {
          const page = await this.#page(table, ns, after, signal);
          if (page.length === 0) break;
          yield page.map((key) => ({ ns, key }));
          after = page[page.length - 1];
        }
  }

  /** Keys by chance. */
  randomNames(namespaces: readonly string[], count: number, signal: AbortSignal): Promise<MirrorName[]> {
    return this.#run(signal, async (connection) => {
      const parts = keyTables.map(
        (name) => `SELECT ns, key FROM ${this.#table(name)} WHERE ns = ANY ($1) AND ${isAlive}`,
      );
      const { rows } = await connection.query<{ ns: string; key: unknown }>(
        `SELECT ns, key FROM (${parts.join(' UNION ALL ')}) AS names ORDER BY random() LIMIT $2`,
        [namespaces, count],
      );
      return rows.map(({ ns, key }) => ({ ns, key: bytesOf(key) }));
    });
  }

  /** Hangs up. Safe to repeat. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  #page(table: string, ns: string, after: Buffer | undefined, signal: AbortSignal): Promise<Buffer[]> {
    return this.#run(signal, async (connection) => {
      const { rows } = await connection.query<{ key: unknown }>(
        `SELECT key FROM ${this.#table(table)} WHERE ns = $1 AND ${isAlive}
        ${after === undefined ? '' : 'AND key > $2'} ORDER BY key LIMIT ${pageKeys}`,
        after === undefined ? [ns] : [ns, this.#sent(after)],
      );
      return rows.map(({ key }) => bytesOf(key));
    });
  }

  /** The rows of the tables of a type, by table and key. */
  async #parts(
    connection: Connection,
    type: ValueType,
    ns: string,
    keys: readonly Buffer[],
  ): Promise<Map<string, Map<string, PartRow[]>>> {
    const parts = new Map<string, Map<string, PartRow[]>>();
    for (const { name, columns, order } of partTables(type)) {
      const { rows } = await connection.query<PartRow>(
        `SELECT t.key, ${columns} FROM ${this.#joined(name)} ORDER BY ${order}`,
        [ns, keys.map((key) => this.#sent(key))],
      );
      parts.set(
        name,
        grouped(rows, ({ key }) => keyText(bytesOf(key))),
      );
    }
    return parts;
  }

  /** Of keys those rows of a table that have not expired. */
  async #rowsOf(
    connection: Connection,
    table: string,
    columns: readonly string[],
    ns: string,
    keys: readonly Buffer[],
  ): Promise<PartRow[]> {
    const asked = this.#keyType === 'bytea' ? keys : keys.filter(isText);
    const { rows } = await connection.query<PartRow>(
      `SELECT t.key, ${columns.join(', ')} FROM ${this.#joined(table)} WHERE ${isAlive}`,
      [ns, asked.map((key) => this.#sent(key))],
    );
    return rows;
  }

  async #run<Result>(
    signal: AbortSignal,
    work: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work(await this.#connected(signal));
    } catch (error) {
      await this.close(); // with whatever transaction is open
      signal.throwIfAborted();
      throw asSinkError(error, placeOf(this.#place.url));
    }
  }

  async #connected(signal: AbortSignal): Promise<Connection> {
    if (this.#connection?.loss === undefined && this.#connection !== undefined) return this.#connection;
    const connection = await Connection.open({ ...this.#place, applicationName: 'tailrace verify' }, signal);
    this.#connection = connection;
    // All joins are of a few keys with a table that may be large: never read the whole table.
    await connection.query('SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off');
    const { schema } = this.#place;
    const { rows } = await connection.query<{ name: string; type: ByteColumn }>(
      `SELECT c.relname AS name, format_type(a.atttypid, a.atttypmod) AS type
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE n.nspname = $1 AND c.relname = ANY ($2) AND a.attname = 'key'`,
      [schema, [...keyTables]],
    );
    const [first] = rows;
    if (first === undefined || rows.length < keyTables.length) throw this.#noMirror();
    this.#keyType = first.type;
    return connection;
  }

  #noMirror(): TailraceError {
    const { url, schema } = this.#place;
    return new TailraceError('SINK_REFUSED', `${placeOf(url)} has no mirror in its schema ${schema}`, {
      context: { sink: placeOf(url), table: shownTable({ schema, name: keyTables[0] }) },
      remedy:
        'Compared are the tables of a postgres sink with mode: mirror; name another schema with --to-option schema=NAME.',
    });
  }

  #sent(key: Buffer): Buffer | string {
    return this.#keyType === 'bytea' ? key : key.toString();
  }

  /**
   * The rows `t` of a table that are of namespace $1 and of the keys $2. The namespace is joined, too: of a table that was
   * filled just now the server takes all rows to be few, and would read them all for a namespace that is given.
   */
  #joined(table: string): string {
    const asked = `(SELECT DISTINCT $1::text AS ns, key FROM unnest($2::${this.#keyType}[]) AS key OFFSET 0) AS asked`;
    return `${asked} JOIN ${this.#table(table)} AS t ON t.ns = asked.ns AND t.key = asked.key`;
  }

  #table(name: string): string {
    return quotedTable({ schema: this.#place.schema, name });
  }
}

/** A key, and its namespace. */
export interface MirrorName {
  readonly ns: string;
  readonly key: Buffer;
}

/** The tables that have one row for each key. */
const keyTables = ['strings', 'json', 'collections'] as const;
const expiry = 'round(extract(epoch FROM expires_at) * 1000)::text AS ttl_at';
const isAlive = '(expires_at IS NULL OR expires_at > now())';
const pageKeys = 2_000;

const grouped = <Name>(rows: readonly PartRow[], nameOf: (row: PartRow) => Name): Map<Name, PartRow[]> => {
  const groups = new Map<Name, PartRow[]>();
  for (const row of rows) {
    const name = nameOf(row);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return groups;
};

const ttlOf = ({ ttl_at: ttlAt }: PartRow): number | undefined =>
  typeof ttlAt === 'string' ? Number(ttlAt) : undefined;

const bytesOf = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : Buffer.from(String(value)));
