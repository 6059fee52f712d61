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

  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>> {
    return values === undefined ? this.#client.query<Row>(text) : this.#client.query<Row>(text, [...values]);
  }

  /** Sends blocks of COPY data, taking the next one when the server has taken the last; resolves to the number of rows. */
  async copyIn(statement: string, blocks: Iterable<Buffer>): Promise<number> {
    const rows = this.#client.query(copyFrom(statement));
    await pipeline(Readable.from(blocks, { objectMode: true, highWaterMark: 1 }), rows);
    return rows.rowCount;
  }

  /** Hangs up; what is under way fails. Safe to repeat. */
  async close(): Promise<void> {
    this.#loss ??= new Error('the connection was closed');
    await this.#client.end().catch(() => undefined);
  }
}

const connectTimeoutMs = 10_000;
