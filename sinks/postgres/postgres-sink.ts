import {
  type Claim,
  isSamePosition,
  type PluginContext,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { findRefused } from './find-refused.js';
import type { Layout } from './layout.js';
import { PositionTable } from './position-table.js';
import { asSinkError, errorKind, reasonOf } from './refusal.js';

export interface PostgresSinkOptions {
  readonly connection: ConnectionOptions;
  /** Where the table of positions is. */
  readonly schema: string;
  /** When a write that does not end is given up, and the connection with it. */
  readonly writeTimeoutMs: number;
}

/**
 * Changes in tables of a Postgres, exactly once: data and position are one transaction.
 *
 * Protocol. A claim raises the epoch in the position's row. A write is
 *
 *   BEGIN · UPDATE position WHERE epoch = mine AND position = previous · data · COMMIT
 *
 * The UPDATE comes first: it takes the row's lock, so that a claimant that was overtaken stands there before it does
 * any work, and finds no row once the other has committed: `fenced`. When the connection is lost before COMMIT was
 * answered the outcome is `unknown`: what the row holds after a new claim is the truth. An error of a statement
 * undoes all of the transaction; if some value is to blame it is found and named (`find-refused.ts`).
 */
export class PostgresSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly #options: PostgresSinkOptions;
  readonly #layout: Layout;
  readonly #positions: PositionTable;
  readonly #place: string;
  #connection: Connection | undefined;
  /** What the row holds, as of the claim or the last write. */
  #held: Claim = { epoch: 0, position: null };

  constructor(options: PostgresSinkOptions, layout: Layout, context: PluginContext) {
    this.#options = options;
    this.#layout = layout;
    this.#positions = new PositionTable(options.schema, context.pipeline, layout.target);
    this.#place = placeOf(options.connection.url);
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    await this.#disconnect();
    try {
      const connection = await Connection.open(this.#options.connection, signal);
      this.#connection = connection;
      await this.#positions.prepare(connection);
      await this.#layout.prepare(connection);
      this.#held = await this.#positions.claim(connection);
      return this.#held;
    } catch (error) {
      await this.#disconnect();
      throw asSinkError(error, this.#place);
    }
  }

  async write(batch: SinkBatch, claim: Claim): Promise<WriteOutcome> {
    const connection = this.#connection;
    // Nothing was sent on a connection that was lost before this write; claiming again finds out where we stand.
    if (connection === undefined || connection.loss !== undefined)
      return { kind: 'unknown', error: connection?.loss ?? new Error('the sink is not connected') };
    if (claim.epoch !== this.#held.epoch || !isSamePosition(batch.previous, this.#held.position))
      return { kind: 'fenced', error: this.#moved() };
    const rejections = this.#layout.rejections(batch.transactions);
    if (rejections.length > 0) return { kind: 'poison', rejections };
    const timer = setTimeout(() => void connection.close(), this.#options.writeTimeoutMs);
    try {
      return await this.#execute(connection, batch);
    } catch (error) {
      return await this.#outcomeOf(connection, batch, error);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disconnect();
  }

  async #execute(connection: Connection, batch: SinkBatch): Promise<WriteOutcome> {
    const { epoch, position } = this.#held;
    await connection.query('BEGIN');
    if (!(await this.#positions.advance(connection, epoch, position, batch.position))) {
      await connection.query('ROLLBACK');
      return { kind: 'fenced', error: this.#moved() };
    }
    await this.#layout.apply(connection, batch.transactions);
    const { command } = await connection.query('COMMIT');
    if (command !== 'COMMIT') throw new Error(`COMMIT was answered with ${command}`);
    this.#held = { epoch, position: batch.position };
    return { kind: 'durable' };
  }

  async #outcomeOf(connection: Connection, batch: SinkBatch, cause: unknown): Promise<WriteOutcome> {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const kind = connection.loss === undefined ? errorKind(cause) : 'lost';
    if (kind === 'lost') {
      await connection.close();
      return { kind: 'unknown', error };
    }
    try {
      await connection.query('ROLLBACK');
      if (kind === 'busy') return { kind: 'retryable', error };
      if (kind === 'data') {
        const refused = await findRefused(connection, this.#layout, batch.transactions);
        // Found nothing: what was to blame is gone, or was another session's.
        return refused === undefined
          ? { kind: 'retryable', error }
          : { kind: 'poison', rejections: [refused] };
      }
    } catch (second) {
      await connection.close();
      return { kind: 'unknown', error: second instanceof Error ? second : error };
    }
    return { kind: 'fatal', error: this.#refused(error) };
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  #refused(cause: Error): TailraceError {
    return new TailraceError('SINK_REFUSED', `${this.#place} refuses the write: ${reasonOf(cause)}`, {
      context: { sink: this.#place },
      remedy: 'Check the rights of the user on the tables, and that they are as the sink made them.',
      cause,
    });
  }

  #moved(): Error {
    return new Error(`${this.#place} was claimed again, or its position was changed by someone else`);
  }
}

/** Host, port and database of a URL, for messages: no user, no password. */
const placeOf = (url: string): string => {
  try {
    const { host, pathname } = new URL(url);
    return `postgres://${host}${pathname}`;
  } catch {
    return 'postgres';
  }
};
