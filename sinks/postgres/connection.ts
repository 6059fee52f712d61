import { Client } from 'pg';
import { orGivenUp } from '../../src/kit/index.js';
import { Exchange, requireSendable, type Step } from './exchange.js';
import { sqlStateOf } from './refusal.js';

export interface ConnectionOptions {
  /** postgres://[user[:password]@]host[:port]/database[?sslmode=…] */
  readonly url: string;
  /** Overrides the password of the URL; empty: does not. */
  readonly password: string;
  readonly applicationName: string;
}

/** What a statement answers, of which no more is of use here. */
export interface Answer<Row> {
  readonly rows: Row[];
}

/** One connection to a server; never mended: after a loss a new one is opened. */
export class Connection {
  readonly #client: Client;
  #loss: Error | undefined;
  #ahead: Step[] = [];

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
      connectionString: withPassword(options),
      application_name: options.applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
    const connection = new Connection(client);
    try {
      // A client that is ended while it connects leaves that promise open for ever.
      await orGivenUp(client.connect(), signal);
    } catch (error) {
      if (signal.aborted) void connection.close();
      throw error;
    }
    return connection;
  }

  /** Why the connection is of no more use; undefined while it is. */
  get loss(): Error | undefined {
    return this.#loss;
  }

  /**
   * Leaves statements of which nothing is awaited to go out in front of the next one, in the same message: each round trip
   * less counts. What they fail with, the next one fails with.
   */
  ahead(...steps: readonly (string | Step)[]): void {
    for (const step of steps) this.#ahead.push(typeof step === 'string' ? { statement: step } : step);
  }

  /** Commits what is open and ahead. */
  async commit(): Promise<void> {
    this.ahead('COMMIT');
    const done = await this.#sendAhead();
    if (done !== 'COMMIT') throw new Error(`COMMIT was answered with ${done}`);
  }

  /** Some statements without parameters, or one with values for them; the result is that of the last. */
  async query<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Answer<Row>> {
    if (this.#ahead.length > 0) await this.#sendAhead();
    if (values !== undefined) return await this.#answer(this.#client.query<Row>(statement, [...values]));
    const result: unknown = await this.#answer(this.#client.query<Row>(statement));
    return (Array.isArray(result) ? result.at(-1) : result) as Answer<Row>;
  }

  /** Undoes the open transaction, and forgets what was to go ahead. */
  async rollback(): Promise<void> {
    this.#ahead = [];
    await this.#answer(this.#client.query('ROLLBACK'));
  }

  /** What `work` on this connection comes to. When that takes longer than `ms`, the connection is closed, and it fails. */
  async within<Result>(ms: number, work: () => Promise<Result>): Promise<Result> {
    const timer = setTimeout(() => void this.close(new Error(`no answer within ${ms} ms`)), ms);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Hangs up; what is under way fails, with the reason. Safe to repeat. */
  async close(reason = new Error('the connection was closed')): Promise<void> {
    this.#loss ??= reason;
    // A server that is gone without a word does not answer the goodbye either.
    const timer = setTimeout(() => this.#client.connection.stream.destroy(), goodbyeMs);
    await this.#client.end().catch(() => undefined);
    clearTimeout(timer);
  }

  async #sendAhead(): Promise<string> {
    const steps = this.#ahead;
    this.#ahead = [];
    for (const step of steps) requireSendable(step);
    return await this.#answer(this.#client.query(new Exchange(steps)).done);
  }

  /** A client whose connection is lost says no more than that. Why, the server may have said before. */
  async #answer<Result>(asked: Promise<Result>): Promise<Result> {
    try {
      return await asked;
    } catch (error) {
      throw sqlStateOf(error) === undefined ? (this.#loss ?? error) : error;
    }
  }
}

/** Host, port and database of a URL, for messages: no user, no password. */
export const placeOf = (url: string): string => {
  try {
    const { host, pathname } = new URL(url);
    return `postgres://${host}${pathname}`;
  } catch {
    return 'postgres';
  }
};

/**
 * In the URL: what that says, were it that there is none, overrides everything else that the client is given. As a parameter,
 * since URLs without a host, such as those of sockets, have no place for it before that.
 */
const withPassword = ({ url, password }: ConnectionOptions): string =>
  password === '' ? url : `${url}${url.includes('?') ? '&' : '?'}password=${encodeURIComponent(password)}`;

const connectTimeoutMs = 10_000;
const goodbyeMs = 1_000;
