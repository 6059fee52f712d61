import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, type QueryResult, type QueryResultRow } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

export interface ConnectionOptions {
  /** postgres://[user[:password]@]host[:port]/database[?sslmode=…] */
  readonly url: string;
  /** Overrides the password of the URL; empty: does not. */
  readonly password: string;
  readonly applicationName: string;
}

/** One connection to a server; never mended: after a loss a new one is opened. */
export class Connection {
  readonly #client: Client;
  #loss: Error | undefined;
  #ahead: string[] = [];

  private constructor(client: Client) {
    this.#client = client;
    // Without a listener a lost connection would end the process.
    client.on('error', (error) => {
      this.#loss ??= error;
    });
    client.on('end', () => {
      this.#loss ??= new Error('the server closed the connection');
    });
  }

  /** @throws what the server or the network says; see `asSinkError` */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const client = new Client({
      connectionString: options.url,
      application_name: options.applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      ...(options.password === '' ? {} : { password: options.password }),
    });
    const connection = new Connection(client);
    const onAbort = (): void => void client.end().catch(() => undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await client.connect();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    return connection;
  }

  /** Why the connection is of no more use; undefined while it is. */
  get loss(): Error | undefined {
    return this.#loss;
  }

  /**
   * Leaves a statement of which nothing is awaited to go out in front of the next one, in the same message: each
   * round trip less counts. What it fails with, the next one fails with.
   */
  ahead(statement: string): void {
    this.#ahead.push(statement);
  }

  /** One statement, with values for its parameters if it has any. */
  async query<Row extends QueryResultRow>(
    statement: string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    if (values === undefined) {
      const result: unknown = await this.#client.query<Row>(this.#withAhead(statement));
      // Of several statements in a message, each has a result.
      return (Array.isArray(result) ? result.at(-1) : result) as QueryResult<Row>;
    }
    // Only a message without parameters may hold several statements.
    if (this.#ahead.length > 0) await this.#client.query(this.#withAhead());
    return await this.#client.query<Row>(statement, [...values]);
  }

  /** Sends blocks of COPY data, taking the next one when the server has taken the last. */
  async copyIn(statement: string, blocks: Iterable<Buffer>): Promise<void> {
    const rows = this.#client.query(copyFrom(this.#withAhead(statement)));
    await pipeline(Readable.from(blocks, { objectMode: true, highWaterMark: 1 }), rows);
  }

  /** Undoes the open transaction, and forgets what was to go ahead. */
  async rollback(): Promise<void> {
    this.#ahead = [];
    await this.#client.query('ROLLBACK');
  }

  /** Hangs up; what is under way fails. Safe to repeat. */
  async close(): Promise<void> {
    this.#loss ??= new Error('the connection was closed');
    await this.#client.end().catch(() => undefined);
  }

  #withAhead(...statements: readonly string[]): string {
    const all = [...this.#ahead, ...statements];
    this.#ahead = [];
    return all.join(';\n');
  }
}

const connectTimeoutMs = 10_000;
