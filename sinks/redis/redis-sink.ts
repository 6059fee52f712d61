import {
  asError,
  ByteWriter,
  type Claim,
  defaultLargestWordBytes,
  type Finding,
  isSamePosition,
  Ownership,
  overtaken,
  type PluginContext,
  type Position,
  positionOwner,
  type Rejection,
  type Reply,
  ReplyError,
  type RespConnection,
  RespServer,
  readLargestWord,
  type Sink,
  type SinkBatch,
  type Transaction,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { type BatchCommands, batchCommands, kvrocksTypes } from './batch-commands.js';
import { checkRedis, requireDatabases } from './check-redis.js';
import type { CommandPlace } from './command-places.js';
import { commandsFailed } from './commands-failed.js';
import { ControlKey, type ControlState } from './control-key.js';
import type { NamespaceTargets } from './namespace-targets.js';
import { type Execution, QueuedBatch } from './queued-batch.js';
import { asSinkError, refusalKind } from './refusal.js';

/** Settings of the sink `redis` where the target is one server. */
export interface RedisSinkOptions {
  /** redis://[user:password@]host:port[/database], or rediss:// */
  readonly url: string;
  /** Overrides the password of the URL. */
  readonly password: string;
  /** The key that holds the position; `{pipeline}` stands for the pipeline's name. */
  readonly positionKey: string;
  /** Where the keys of each namespace go in the target; a namespace that is not named is refused. */
  readonly namespaces: NamespaceTargets;
  /** The target is a Kvrocks or a tailrace: JSON documents and sorted ints stay what they are; default false. */
  readonly hasKvrocksTypes?: boolean;
  /** How long the server may be silent before the connection is given up, in ms; default 60,000. */
  readonly answerTimeout?: number;
  /** How much longer keys live in the target than their expiry says, in ms; default 0. */
  readonly expiryGrace?: number;
}

/**
 * Redis commands on a Redis, exactly once: the commands of a batch and its position are one MULTI/EXEC.
 *
 * Protocol. A claim raises the epoch in the control key and leaves that key WATCHed. Each write is
 *
 *   MULTI · mark of the error count · commands · position · count of errors · EXEC · WATCH control · HMGET control
 *
 * in one round trip: it applies all or nothing, and arms the next write. Whoever claims later changes the watched
 * key, so an older claimant's EXEC does nothing and answers nil: `fenced`, unless the key holds what it held. When the
 * connection is lost before the reply of EXEC the outcome is `unknown`: what the control key holds after a new claim is
 * the truth.
 *
 * The server need not wait for the next batch while we wait for its answer: what is `prepare`d goes to it at once, up to
 * the commands. They are queued behind the WATCH, and the EXEC is only sent when the answers before it are there and
 * good; otherwise DISCARD.
 *
 * A batch that Redis does not even queue (out of memory, read only, an unknown command) applies nothing. But a
 * command that fails while EXEC runs (WRONGTYPE: the target holds a key that is not ours) does not undo the
 * others, and the position stands beside them. So that this is never passed over, also when this process dies before
 * it reads the reply, the transaction itself counts: two small scripts compare the server's number of error replies
 * before and behind the commands, and keep the difference in the control key. While it is not 0, the write is
 * `fatal` and every claim is refused, with the key and the command, until somebody has mended the key. The batch
 * is not written again: what did succeed, pushes on lists among it, stands exactly once.
 *
 * Why no client library: commands are encoded once, for many batches at a time, straight to the socket, while the
 * server queues what came before. Measured by bench `redis-sink`.
 */
export class RedisSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly #server: RespServer;
  readonly #control: ControlKey;
  readonly #commands: BatchCommands;
  /** Two, in turn: a batch may be sent ahead while the bytes of the one before are still in use. */
  readonly #writers = [new ByteWriter(512 * 1024), new ByteWriter(512 * 1024)];
  #connection: RespConnection | undefined;
  /** What is queued at the server, or on its way there, for the next write. */
  #ahead: QueuedBatch | undefined;
  /** While it is not known what the connection carries next: nothing may be sent ahead then. */
  #isDeciding = false;
  /** What the control key holds, as of the claim or the last write. */
  #held: Claim = { epoch: 0, position: null };
  #countsErrors = false;
  #takesDumps = false;
  /** The types of a Kvrocks are wanted: such a server keeps hashes otherwise. */
  readonly #isPlainRedis: boolean;
  #largestWordBytes = defaultLargestWordBytes;
  readonly #ownership = new Ownership();

  constructor(options: RedisSinkOptions, context: PluginContext) {
    this.#server = new RespServer(options.url, options.password, options.answerTimeout);
    this.#control = new ControlKey(
      options.positionKey.replace('{pipeline}', positionOwner(context, 'redis')),
    );
    this.#isPlainRedis = options.hasKvrocksTypes !== true;
    this.#commands = batchCommands(options.namespaces, this.#home, {
      ...(this.#isPlainRedis ? {} : kvrocksTypes),
      ttlGraceMs: options.expiryGrace ?? 0,
    });
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    this.#disconnect();
    this.#isDeciding = true;
    try {
      const connection = await this.#server.connect(signal);
      this.#connection = connection;
      await requireDatabases(connection, this.#commands.databases, this.#home);
      this.#largestWordBytes = await readLargestWord(connection);
      this.#held = await this.#claimControl(connection);
      return this.#held;
    } catch (error) {
      this.#disconnect();
      throw asSinkError(error, this.#place);
    } finally {
      this.#isDeciding = false;
    }
  }

  async write(batch: SinkBatch, claim: Claim): Promise<WriteOutcome> {
    const connection = this.#connection;
    // Nothing was sent on a connection that was lost before this write; claiming again finds out where we stand.
    if (connection === undefined || connection.error !== undefined)
      return { kind: 'unknown', error: connection?.error ?? new Error('the sink is not connected') };
    this.#isDeciding = true;
    try {
      if (this.#ahead !== undefined && this.#ahead.transactions !== batch.transactions)
        await this.#dropAhead();
      if (claim.epoch !== this.#held.epoch || !isSamePosition(batch.previous, this.#held.position))
        return this.#fenced();
      return await this.#execute(connection, batch);
    } catch (error) {
      this.#disconnect();
      return { kind: 'unknown', error: asError(error) };
    } finally {
      this.#isDeciding = false;
    }
  }

  prepare(transactions: readonly Transaction[]): void {
    const connection = this.#connection;
    if (this.#isDeciding || connection === undefined || connection.error !== undefined) return;
    if (this.#ahead !== undefined) return;
    this.#ahead = this.#queue(connection, transactions);
    this.#ahead.sendAhead();
  }

  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    return checkRedis(() => this.#server.connect(signal), {
      place: this.#place,
      control: this.#control,
      databases: this.#commands.databases,
      home: this.#home,
    });
  }

  async readPosition(signal: AbortSignal): Promise<Position | null> {
    const out = new ByteWriter(256);
    this.#control.writeArm(out);
    try {
      const [, held] = await this.#server.visit(signal, (connection) => connection.send(out.take(), 2));
      return this.#control.read(held).position;
    } catch (error) {
      throw asSinkError(error, this.#place);
    }
  }

  async setPosition(position: Position | null, claim: Claim): Promise<void> {
    try {
      if (this.#connection === undefined) throw new Error('the sink is not connected');
      const out = new ByteWriter(512);
      this.#control.writeOnlyPosition(out, claim.epoch, position);
      const executed = (await this.#connection.send(out.take(), 5)).at(-3);
      if (executed instanceof ReplyError) throw executed;
      if (executed === null) throw overtaken(`${this.#control.name} on ${this.#place}`);
    } catch (error) {
      throw asSinkError(error, this.#place);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disconnect();
  }

  async #claimControl(connection: RespConnection): Promise<Claim> {
    const out = new ByteWriter(512);
    this.#control.writeErrorProbe(out);
    this.#control.writeDumpProbe(out);
    this.#control.writeArm(out);
    const [errors, dump, , found] = await connection.send(out.take(), 4);
    this.#countsErrors = errors instanceof Buffer;
    this.#takesDumps = this.#isPlainRedis && !(dump instanceof ReplyError);
    this.#ownership.requireNotOvertaken(this.#control.read(found), `${this.#control.name} on ${this.#place}`);
    this.#control.writeClaim(out, this.#ownership.token);
    const replies = await connection.send(out.take(), 6);
    const refused = replies.find((reply) => reply instanceof ReplyError);
    if (refused !== undefined) throw refused;
    const held = this.#control.read(replies.at(-1));
    if (held.owner !== this.#ownership.token) throw new Error('another process claimed it at the same time');
    this.#ownership.claimed(held.epoch);
    if (held.failed > 0) throw commandsFailed(held, this.#place, this.#control.name);
    return { epoch: held.epoch, position: held.position };
  }

  async #execute(connection: RespConnection, batch: SinkBatch): Promise<WriteOutcome> {
    const queued = this.#ahead ?? this.#queue(connection, batch.transactions);
    this.#ahead = undefined;
    if (queued.encoding !== undefined) await queued.encoding;
    const { rejections } = queued;
    if (rejections.length > 0)
      return this.#isStillOurs(await queued.discard()) ? { kind: 'poison', rejections } : this.#fenced();
    this.#isDeciding = false;
    try {
      const execution = await queued.execute(this.#held.epoch, batch.position);
      return await this.#outcome(connection, batch, queued, execution);
    } finally {
      this.#isDeciding = true;
    }
  }

  #queue(connection: RespConnection, transactions: readonly Transaction[]): QueuedBatch {
    const [out] = this.#writers.reverse();
    return new QueuedBatch(transactions, this.#commands, this.#control, {
      connection,
      out,
      countsErrors: this.#countsErrors,
      takesDumps: this.#takesDumps,
      largestWordBytes: this.#largestWordBytes,
    });
  }

  /** The server forgets what was sent ahead, and is armed again. False when somebody else has claimed meanwhile. */
  async #dropAhead(): Promise<boolean> {
    const ahead = this.#ahead;
    if (ahead === undefined) return true;
    this.#ahead = undefined;
    const isOurs = this.#isStillOurs(await ahead.discard());
    if (!isOurs) this.#held = { epoch: -1, position: this.#held.position };
    return isOurs;
  }

  async #outcome(
    connection: RespConnection,
    batch: SinkBatch,
    queued: QueuedBatch,
    execution: Execution,
  ): Promise<WriteOutcome> {
    this.#isDeciding = true;
    const { executed, fields } = execution;
    if (executed === null) {
      if (!this.#isStillOurs(fields) || !(await this.#dropAhead())) return this.#fenced();
      // A server that loads its data anew, or swaps databases, takes every watched key for a changed one.
      return { kind: 'retryable', error: new Error(`${this.#control.name} was touched, but not changed`) };
    }
    if (!Array.isArray(executed)) return await this.#refused(queued, execution);
    this.#held = { epoch: this.#held.epoch, position: batch.position };
    const results = executed.slice(queued.commandsFrom, queued.commandsFrom + queued.commands);
    const failures = results.flatMap((reply, command) =>
      reply instanceof ReplyError ? [{ command, reply }] : [],
    );
    if (failures.length > 0) return await this.#failed(connection, queued, batch.position, failures);
    // Ours was applied even if somebody claimed right behind it: then the next write is the one that is refused.
    if (!this.#isStillOurs(fields)) this.#held = { epoch: -1, position: batch.position };
    return { kind: 'durable' };
  }

  async #failed(
    connection: RespConnection,
    queued: QueuedBatch,
    position: Position,
    failures: readonly { readonly command: number; readonly reply: ReplyError }[],
  ): Promise<WriteOutcome> {
    const [{ command, reply }] = failures;
    const failure = this.#describe(queued, command, reply);
    if (await this.#dropAhead()) {
      const out = new ByteWriter(512);
      this.#control.writeFailure(out, failures.length, failure);
      await connection.send(out.bytes, 3);
    }
    const state = { failed: failures.length, failure, position };
    return { kind: 'fatal', error: commandsFailed(state, this.#place, this.#control.name) };
  }

  /** Redis did not queue the batch, or would not run it: nothing was applied. */
  async #refused(batch: QueuedBatch, { queued, executed, fields }: Execution): Promise<WriteOutcome> {
    const isError = (reply: Reply | undefined): reply is ReplyError => reply instanceof ReplyError;
    const refusals = queued.flatMap((reply, at) => (isError(reply) ? [{ at, reply }] : []));
    const error = refusals[0]?.reply ?? (isError(executed) ? executed : undefined);
    if (error === undefined) throw new RangeError('EXEC answered something else than an array');
    const kind = refusalKind(error.message);
    if (kind === 'moved') {
      this.#disconnect(); // the claim finds out
      return { kind: 'unknown', error };
    }
    if (!this.#isStillOurs(fields) || !(await this.#dropAhead())) return this.#fenced();
    if (kind === 'busy') return { kind: 'retryable', error: asSinkError(error, this.#place) };
    if (kind === 'forbidden') return { kind: 'fatal', error: asSinkError(error, this.#place) };
    const first = batch.commandsFrom + 1; // MULTI stands before
    const rejections = refusals.flatMap(({ at, reply }): Rejection[] => {
      const place = batch.placeOf(at - first);
      return place === undefined ? [] : rejectAll(place, reply.message);
    });
    return rejections.length > 0
      ? { kind: 'poison', rejections }
      : { kind: 'fatal', error: asSinkError(error, this.#place) };
  }

  /** @throws Error when the key is gone */
  #isStillOurs(fields: Reply | undefined): boolean {
    const held = this.#control.read(fields);
    this.#requireThere(held);
    return held.epoch === this.#held.epoch && isSamePosition(held.position, this.#held.position);
  }

  /** No process takes the key away: whoever flushed the target took the data, too. The claim finds out where to go on. */
  #requireThere({ epoch }: ControlState): void {
    if (epoch === 0)
      throw new Error(
        `${this.#control.name} on ${this.#place} is gone: the target was flushed, or lost data`,
      );
  }

  #describe(batch: QueuedBatch, command: number, reply: ReplyError): string {
    const place = batch.placeOf(command);
    if (place === undefined) return reply.message;
    const change = batch.transactions[place.transaction].changes[place.from];
    const key = 'key' in change ? ` of key ${JSON.stringify(Buffer.from(change.key).toString())}` : '';
    return `${change.op} ${change.type}${key} at sequence number ${change.seq}: ${reply.message}`;
  }

  #fenced(): WriteOutcome {
    const error = new Error(
      `${this.#control.name} on ${this.#place} is no longer what this process left there`,
    );
    return { kind: 'fenced', error };
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#ahead = undefined;
  }

  get #place(): string {
    return this.#server.place;
  }

  /** The database of the URL, where the position is. */
  get #home(): number {
    return this.#server.address.database ?? 0;
  }
}

const rejectAll = ({ transaction, from, to, end }: CommandPlace, reason: string): Rejection[] => {
  const rejections: Rejection[] = [];
  for (let change = from; change < to; change++) rejections.push({ transaction, change, reason });
  // Transactions that fold are one change each.
  for (let other = transaction + 1; other < end; other++)
    rejections.push({ transaction: other, change: 0, reason });
  return rejections;
};
