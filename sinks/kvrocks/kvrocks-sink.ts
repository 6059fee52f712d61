import {
  appendStringPut,
  asError,
  type Claim,
  defaultLargestWordBytes,
  encodeCommand,
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
  TailraceError,
  WriteBatchBuilder,
  type WriteOutcome,
} from '../../src/kit/index.js';
import { decodeClaim, encodeClaim, type HeldClaim } from './position-text.js';
import { asSinkError, refusalKind } from './refusal.js';

/** Settings of the sink `kvrocks`. */
export interface KvrocksSinkOptions {
  /** redis://[user:password@]host:port, or rediss:// */
  readonly url: string;
  readonly password: string;
  /** `exactly-once` needs a target that knows APPLYBATCH … EXPECT. */
  readonly delivery: 'exactly-once' | 'at-least-once';
  /** `{pipeline}` stands for the pipeline's name. */
  readonly positionKey: string;
  /** How long the target may be silent before the connection is given up, in ms; default 60,000. */
  readonly answerTimeout?: number;
}

/**
 * The batches of the log as they are, without decoding them, into another store of the same format.
 *
 * Protocol. Each write is one APPLYBATCH: the records of all its batches, and as its last record the position, a string
 * under `positionKey`. The target applies it whole or not at all, so data and position never part, whoever dies when.
 * Whether it was applied when the connection was lost, a new claim finds out by reading the position.
 *
 * On a tailrace the command says EXPECT: it is applied only where the position key still holds what this process left
 * there. A claim changes it (a larger epoch), so an older claimant's batches are refused. An Apache Kvrocks does not
 * know the condition: there a process that was paused while another took over may still apply its last batch, which
 * is why that is called at least once. What is applied twice is the same bytes under the same keys.
 */
export class KvrocksSink implements Sink {
  readonly guarantee: 'exactly-once' | 'at-least-once';
  readonly holdsPosition = true;
  readonly takesWholeBatches = true;
  readonly refusesSlots = true;
  readonly takesRecords: { readonly ownKey: string };
  readonly #server: RespServer;
  readonly #key: string;
  readonly #builder = new WriteBatchBuilder(64 * 1024);
  #connection: RespConnection | undefined;
  #held: HeldClaim = { epoch: 0, owner: '', position: null };
  readonly #ownership = new Ownership();
  #largestWordBytes = defaultLargestWordBytes;

  constructor(options: KvrocksSinkOptions, context: PluginContext) {
    this.#server = new RespServer(options.url, options.password, options.answerTimeout);
    this.#key = options.positionKey.replace('{pipeline}', positionOwner(context, 'kvrocks'));
    this.takesRecords = { ownKey: this.#key };
    this.guarantee = options.delivery;
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    this.#disconnect();
    try {
      const connection = await this.#server.connect(signal);
      this.#connection = connection;
      this.#largestWordBytes = await readLargestWord(connection);
      const found = await this.#readHeld(connection);
      const held = found ?? { epoch: 0, owner: '', position: null };
      this.#ownership.requireNotOvertaken(held, `${this.#key} on ${this.#place}`);
      const claim = { epoch: held.epoch + 1, owner: this.#ownership.token, position: held.position };
      const expected = found === undefined ? Buffer.alloc(0) : encodeClaim(found);
      const reply = await this.#apply(connection, [], expected, claim);
      if (reply instanceof ReplyError) throw this.#claimRefused(reply);
      if (reply !== 1) throw new Error('another process claimed it at the same time');
      this.#held = claim;
      this.#ownership.claimed(claim.epoch);
      return claim;
    } catch (error) {
      this.#disconnect();
      throw asSinkError(error, this.#place);
    }
  }

  async write(batch: SinkBatch, claim: Claim): Promise<WriteOutcome> {
    const connection = this.#connection;
    if (connection === undefined || connection.error !== undefined)
      return { kind: 'unknown', error: connection?.error ?? new Error('the sink is not connected') };
    if (claim.epoch !== this.#held.epoch || !isSamePosition(batch.previous, this.#held.position))
      return { kind: 'fenced', error: this.#moved() };
    const tooLarge = this.#tooLarge(batch);
    if (tooLarge !== undefined) return tooLarge;
    const next = { epoch: claim.epoch, owner: this.#ownership.token, position: batch.position };
    let reply: Reply;
    try {
      const parts = batch.transactions.map(({ bytes }) => bytes);
      reply = await this.#apply(connection, parts, encodeClaim(this.#held), next);
      // No process takes the key away: whoever flushed the target took the data, too. The claim finds out where to go on.
      if (reply === 0 && (await this.#readHeld(connection)) === undefined)
        throw new Error(`${this.#key} on ${this.#place} is gone: the target was flushed, or lost data`);
    } catch (error) {
      this.#disconnect();
      return { kind: 'unknown', error: asError(error) };
    }
    if (reply instanceof ReplyError) return this.#refused(reply);
    if (reply !== 1) return { kind: 'fenced', error: this.#moved() };
    this.#held = next;
    return { kind: 'durable' };
  }

  async readPosition(signal: AbortSignal): Promise<Position | null> {
    try {
      const held = await this.#server.visit(signal, (connection) => this.#readHeld(connection));
      return held?.position ?? null;
    } catch (error) {
      throw asSinkError(error, this.#place);
    }
  }

  async setPosition(position: Position | null, claim: Claim): Promise<void> {
    try {
      if (this.#connection === undefined) throw new Error('the sink is not connected');
      const next = { epoch: claim.epoch, owner: this.#ownership.token, position };
      const reply = await this.#apply(this.#connection, [], encodeClaim(this.#held), next);
      if (reply instanceof ReplyError) throw reply;
      if (reply !== 1) throw overtaken(`${this.#key} on ${this.#place}`);
      this.#held = next;
    } catch (error) {
      throw asSinkError(error, this.#place);
    }
  }

  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    try {
      const held = await this.#server.visit(signal, (connection) => this.#readHeld(connection));
      const detail =
        held === undefined
          ? `${this.#key} is free`
          : `${this.#key} is at sequence number ${held.position?.sequence ?? 0}`;
      return [
        { name: 'connection', status: 'ok', detail: this.#place },
        { name: 'position', status: 'ok', detail },
      ];
    } catch (error) {
      const { message, remedy } = asSinkError(error, this.#place);
      return [{ name: 'connection', status: 'fail', detail: message, remedy }];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disconnect();
  }

  /** What the position key holds; undefined when there is none. */
  async #readHeld(connection: RespConnection): Promise<HeldClaim | undefined> {
    const found = await connection.call('GET', this.#key);
    if (found instanceof ReplyError) throw found;
    return found instanceof Buffer ? decodeClaim(this.#key, found.toString()) : undefined;
  }

  /** Applies batches and the position in one. Answers 1, or 0 when the position key does not hold `expected`. */
  async #apply(
    connection: RespConnection,
    batches: readonly Buffer[],
    expected: Buffer,
    claim: HeldClaim,
  ): Promise<Reply> {
    const builder = this.#builder;
    builder.clear();
    // The note of one batch must not be taken for that of the next.
    for (const batch of batches) builder.logData(noNote).append(batch);
    appendStringPut(builder, Buffer.from(this.#key), encodeClaim(claim));
    const condition = this.guarantee === 'exactly-once' ? ['EXPECT', this.#key, expected] : [];
    const command = encodeCommand('APPLYBATCH', builder.finish(), ...condition);
    const [reply] = await connection.send(command, 1);
    // Kvrocks answers OK or a number, as its version likes; a condition that failed is always 0.
    return reply instanceof ReplyError || reply === 0 ? reply : 1;
  }

  /** At a longer word the target would hang up, each time anew. */
  #tooLarge({ transactions }: SinkBatch): WriteOutcome | undefined {
    const limit = this.#largestWordBytes - positionRecordBytes - 2 * this.#key.length;
    let total = 0;
    const rejections: Rejection[] = [];
    for (const [transaction, { bytes }] of transactions.entries()) {
      total += bytes.length + noteRecordBytes;
      if (bytes.length + noteRecordBytes <= limit) continue;
      const reason = `its batch has ${bytes.length} bytes, and the target takes ${this.#largestWordBytes} in one piece (proto-max-bulk-len)`;
      rejections.push({ transaction, change: 0, reason });
    }
    if (rejections.length > 0) return { kind: 'poison', rejections };
    if (total <= limit) return undefined;
    const error = new TailraceError(
      'SINK_FAILED',
      `${this.#place} takes ${limit} bytes, a write has ${total}`,
      {
        context: { sink: this.#place, limit, actual: total },
        remedy: 'Raise proto-max-bulk-len of the target, or lower limits.batchBytes below it.',
      },
    );
    return { kind: 'fatal', error };
  }

  #refused(reply: ReplyError): WriteOutcome {
    switch (refusalKind(reply.message)) {
      case 'elsewhere':
        this.#disconnect(); // the claim finds out
        return { kind: 'unknown', error: reply };
      case 'later':
        return { kind: 'retryable', error: reply };
      case 'never': {
        const error = asSinkError(reply, this.#place);
        if (error.code === 'SINK_REFUSED') return { kind: 'fatal', error };
        return {
          kind: 'fatal',
          error: new TailraceError('SINK_FAILED', `${this.#place} does not apply a batch: ${reply.message}`, {
            context: { sink: this.#place },
            remedy: 'The target must be a store of the same format: an Apache Kvrocks, or tailrace serve.',
            cause: reply,
          }),
        };
      }
    }
  }

  /** What is wrong when not even the claim is applied. */
  #claimRefused(reply: ReplyError): Error {
    if (refusalKind(reply.message) !== 'never' || asSinkError(reply, this.#place).code === 'SINK_REFUSED')
      return reply;
    const isExact = this.guarantee === 'exactly-once';
    return new TailraceError('SINK_REFUSED', `${this.#place} does not know APPLYBATCH: ${reply.message}`, {
      context: { sink: this.#place },
      remedy: isExact
        ? 'Exactly once needs tailrace serve as the target; set `delivery: at-least-once` for an Apache Kvrocks.'
        : 'Give the address of an Apache Kvrocks of 2.9 or later, or of tailrace serve.',
      cause: reply,
    });
  }

  #moved(): Error {
    return new Error(`${this.#key} on ${this.#place} is no longer what this process left there`);
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  get #place(): string {
    return this.#server.place;
  }
}

/** More than what stands around the records of a batch, and than the record of the position without its key. */
const noteRecordBytes = 16;
const positionRecordBytes = 256;
const noNote = Buffer.alloc(0);
