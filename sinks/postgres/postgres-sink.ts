import {
  asError,
  type Claim,
  type Finding,
  isSamePosition,
  isTailraceError,
  type PluginContext,
  type Position,
  positionOwner,
  type Sink,
  type SinkBatch,
  TailraceError,
  type Transaction,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { checkDatabase } from './check-database.js';
import { CommitSync } from './commit-sync.js';
import { Connection, type ConnectionOptions, placeOf } from './connection.js';
import { findRefused } from './find-refused.js';
import type { EncodedBatch, Layout } from './layout.js';
import { overtaken, PositionTable } from './position-table.js';
import { asSinkError, errorKind, reasonOf, sqlStateOf } from './refusal.js';

export interface PostgresSinkOptions {
  readonly connection: ConnectionOptions;
  /** Where the table of positions is. */
  readonly schema: string;
  /** When a write that does not end is given up, and the connection with it. */
  readonly writeTimeoutMs: number;
  /** How often commits are made durable together; 0: each waits until the server has synced it. */
  readonly syncIntervalMs: number;
}

/**
 * Changes in tables of a Postgres, exactly once: data and position are one transaction.
 *
 * Protocol. A claim raises the epoch in the position's row. A write is
 *
 *   BEGIN · UPDATE position WHERE epoch = mine AND position = previous · data · COMMIT
 *
 * The UPDATE comes first: it takes the row's lock, so that a claimant that was overtaken stands there before it does
 * any work, and finds no row once the other has committed: `fenced`. Nearly always all of it is one flight
 * (`exchange.ts`). When the connection is lost before COMMIT was answered the outcome is `unknown`: what the row holds
 * after a new claim is the truth. An error of a statement undoes all of the transaction; if some value is to blame it is
 * found and named (`find-refused.ts`).
 *
 * Commits need not wait for the server's disk: they are `accepted`, and durable when a later one was synced
 * (`commit-sync.ts`). A server that crashes before loses rows and position together, and the pipeline delivers again
 * from there. A claim is always synced: the position it reads stays.
 */
export class PostgresSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  /** Each transaction costs the server about a millisecond, however few rows it has. */
  readonly preferredCreditBytes = 8 * 1024 * 1024;
  readonly #options: PostgresSinkOptions;
  readonly #layout: Layout;
  readonly #positions: PositionTable;
  readonly #place: string;
  #connection: Connection | undefined;
  readonly #commits: CommitSync;
  /** What was encoded while the write before was under way. */
  #prepared:
    | { readonly transactions: readonly Transaction[]; readonly encoded: Promise<EncodedBatch> }
    | undefined;
  /** What the row holds, as of the claim or the last write. */
  #held: Claim = { epoch: 0, position: null };

  constructor(options: PostgresSinkOptions, layout: Layout, context: PluginContext) {
    this.#options = options;
    this.#layout = layout;
    this.#positions = new PositionTable(options.schema, positionOwner(context, 'postgres'), layout);
    this.#place = placeOf(options.connection.url);
    this.#commits = new CommitSync(options.syncIntervalMs, () => this.#syncCommits());
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    await this.#disconnect();
    try {
      const connection = await Connection.open(this.#options.connection, signal);
      this.#connection = connection;
      this.#held = await connection.within(this.#options.writeTimeoutMs, async () => {
        await this.#positions.prepare(connection);
        await this.#positions.requireTables(connection, this.#layout.tables);
        await this.#layout.prepare(connection);
        return await this.#positions.claim(connection, this.#held.epoch);
      });
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
    const encoded = await this.#encoded(batch.transactions);
    if (encoded.rejections.length > 0) return { kind: 'poison', rejections: encoded.rejections };
    await this.#commits.begin();
    try {
      return await connection.within(this.#options.writeTimeoutMs, () =>
        this.#tryWrite(connection, batch, encoded),
      );
    } finally {
      this.#commits.end();
    }
  }

  /** Encodes the next batch while the server works on this one. */
  prepare(transactions: readonly Transaction[]): void {
    const encoded = this.#layout.encode(transactions);
    encoded.catch(() => undefined); // it may never be written
    this.#prepared = { transactions, encoded };
  }

  async readPosition(signal: AbortSignal): Promise<Position | null> {
    let connection: Connection | undefined;
    try {
      connection = await Connection.open(this.#options.connection, signal);
      return (await this.#positions.look(connection))?.position ?? null;
    } catch (error) {
      throw asSinkError(error, this.#place);
    } finally {
      await connection?.close();
    }
  }

  async setPosition(position: Position | null, claim: Claim): Promise<void> {
    try {
      if (this.#connection === undefined) throw new Error('the sink is not connected');
      await this.#connection.query(this.#positions.advance(claim.epoch, claim.position, position));
      this.#held = { epoch: claim.epoch, position };
    } catch (error) {
      if (sqlStateOf(error) !== overtaken) throw asSinkError(error, this.#place);
      throw new TailraceError('SINK_FENCED', this.#moved().message, {
        context: { sink: this.#place },
        remedy: 'Stop whatever runs the pipeline, and do it again.',
        cause: error,
      });
    }
  }

  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    let connection: Connection | undefined;
    try {
      connection = await Connection.open(this.#options.connection, signal);
      const tables = [this.#positions.table, ...this.#layout.tables];
      const findings = await checkDatabase(connection, this.#place, tables);
      if (findings.some(({ status }) => status === 'fail')) return findings;
      const held = await this.#positions.look(connection);
      if (held === undefined) return findings;
      await this.#positions.requireTables(connection, this.#layout.tables);
      const detail = `${this.#positions.owner} is at sequence number ${held.position?.sequence ?? 0}`;
      return [...findings, { name: 'position', status: 'ok', detail }];
    } catch (error) {
      const { message, remedy } = asSinkError(error, this.#place);
      const name = isTailraceError(error, 'SINK_REFUSED') ? 'position' : 'connection';
      return [{ name, status: 'fail', detail: message, remedy }];
    } finally {
      await connection?.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    if (connection !== undefined && connection.loss === undefined)
      await connection
        .within(giveBackMs, () => this.#positions.giveBack(connection, this.#held))
        .catch(() => undefined); // it only helps others
    await this.#disconnect();
  }

  async #tryWrite(connection: Connection, batch: SinkBatch, encoded: EncodedBatch): Promise<WriteOutcome> {
    try {
      await this.#execute(connection, batch, encoded);
      return this.#syncsEach
        ? { kind: 'durable' }
        : { kind: 'accepted', durable: this.#commits.whenDurable() };
    } catch (error) {
      const outcome = await this.#outcomeOf(connection, batch, error);
      if (connection.loss !== undefined) this.#commits.lost(connection.loss);
      return outcome;
    }
  }

  async #execute(connection: Connection, batch: SinkBatch, encoded: EncodedBatch): Promise<void> {
    const { epoch, position } = this.#held;
    connection.ahead('BEGIN');
    if (!this.#syncsEach) connection.ahead('SET LOCAL synchronous_commit = off');
    connection.ahead(this.#positions.advance(epoch, position, batch.position));
    await encoded.apply(connection);
    await connection.commit();
    encoded.release?.();
    this.#held = { epoch, position: batch.position };
  }

  #encoded(transactions: readonly Transaction[]): Promise<EncodedBatch> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared?.transactions === transactions ? prepared.encoded : this.#layout.encode(transactions);
  }

  get #syncsEach(): boolean {
    return this.#options.syncIntervalMs === 0;
  }

  async #syncCommits(): Promise<void> {
    const connection = this.#connection;
    try {
      if (connection === undefined) throw new Error('the sink is not connected');
      await connection.within(this.#options.writeTimeoutMs, () => this.#positions.touch(connection));
    } catch (error) {
      await connection?.close(); // the next write claims again
      throw error;
    }
  }

  async #outcomeOf(connection: Connection, batch: SinkBatch, cause: unknown): Promise<WriteOutcome> {
    const error = asError(cause);
    const kind = connection.loss === undefined ? errorKind(cause) : 'lost';
    if (kind === 'lost') {
      await connection.close();
      return { kind: 'unknown', error };
    }
    try {
      await connection.rollback();
      if (sqlStateOf(cause) === overtaken) return { kind: 'fenced', error: this.#moved() };
      const explained = this.#layout.explain?.(cause);
      if (explained !== undefined) return { kind: 'fatal', error: explained };
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
    this.#commits.lost(new Error('the connection was closed'));
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

/** How long the end waits for a claim of nothing to be given back. */
const giveBackMs = 1_000;
