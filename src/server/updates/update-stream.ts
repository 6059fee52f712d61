import type { WalIterator } from '../../engine/index.js';
import { isTailraceError } from '../../errors/index.js';
import type { Connection } from '../connection.js';
import { collectLarge, collectUpdates, isLarge } from './collect-updates.js';
import { PollCursor } from './poll-cursor.js';
import { type UpdateEncoder, updateEncoder } from './update-encoder.js';
import type { UpdateRequest } from './update-request.js';
import { mismatch, startOf } from './update-start.js';

/**
 * Batches pushed to a client as they become durable, from any sequence number on. Each message is
 *
 *   updates  next_sequence  latest_sequence  [update …]
 *
 * a push in RESP3, an array in RESP2. The client acknowledges a next_sequence when it has handled what came up to it:
 * at most `windowBytes` of messages are under way unacknowledged (a single larger one goes alone), so that a slow client
 * holds up nobody but itself. When what was read is not wanted, a message without updates moves the client's position
 * now and then. The stream ends with `updates-end reason`.
 */
export class UpdateStream {
  readonly #connection: Connection;
  readonly #cursor: PollCursor;
  readonly #iterator: WalIterator;
  readonly #encoder: UpdateEncoder;
  readonly #max: number;
  readonly #format: string;
  readonly #windowBytes: number;
  readonly #ending = new AbortController();
  /** Messages that are not acknowledged, oldest first. */
  #outstanding: { readonly last: number; readonly bytes: number }[] = [];
  #outstandingBytes = 0;
  #sentSequence: number;
  #readSequence: number;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => undefined;

  /** Starts the stream on the connection, or answers why not. */
  static start(connection: Connection, request: UpdateRequest): void {
    const { reply, state } = connection;
    const start = startOf(request, state);
    if (start.kind === 'refused') {
      reply.error(start.text);
      return;
    }
    const since = Math.max(start.kind === 'tip' ? start.latest : start.next - 1, 0);
    const cursor = new PollCursor(state.store);
    const iterator = cursor.after(since);
    if (request.isStrict && iterator.valid && iterator.item.sequence !== since + 1) {
      reply.error(mismatch(since + 1, iterator.item.sequence));
      cursor.close();
      return;
    }
    reply.ok();
    const stream = new UpdateStream(connection, request, cursor, iterator, since);
    connection.updateStream = stream;
    stream.#run().catch((error: unknown) => stream.#fail(error));
  }

  private constructor(
    connection: Connection,
    request: UpdateRequest,
    cursor: PollCursor,
    iterator: WalIterator,
    since: number,
  ) {
    this.#connection = connection;
    this.#cursor = cursor;
    this.#iterator = iterator;
    this.#encoder = updateEncoder(request.format, request.filter, cursor.decoder);
    this.#max = request.max;
    this.#format = request.format;
    this.#windowBytes = request.windowBytes;
    this.#sentSequence = since;
    this.#readSequence = since;
  }

  /** Everything up to `sequence` is handled. */
  acknowledge(sequence: number): void {
    let done = 0;
    while (done < this.#outstanding.length && this.#outstanding[done].last <= sequence)
      this.#outstandingBytes -= this.#outstanding[done++].bytes;
    this.#outstanding.splice(0, done);
    this.#wake();
  }

  /** Pushes nothing more. Idempotent. */
  close(): void {
    this.#ending.abort();
    this.#cursor.close();
    this.#wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      if (this.#outstandingBytes >= this.#windowBytes) await this.#acknowledgement();
      else if (this.#iterator.valid) {
        await this.#pushNext();
        await new Promise((resolve) => setImmediate(resolve)); // others get their turn
      } else {
        if (this.#mayMovePosition()) this.#send(0);
        const came = await this.#moreOrPosition(signal);
        if (came === 'nothing') break;
        if (came === 'more') this.#iterator.next();
      }
    }
    if (!signal.aborted) this.#end('ERR the store closes');
  }

  /** Waits for more; or, where a position was held back because the last one is young, until that may be sent. */
  async #moreOrPosition(signal: AbortSignal): Promise<'more' | 'position' | 'nothing'> {
    if (this.#readSequence === this.#sentSequence)
      return (await this.#iterator.waitForMore(signal)) ? 'more' : 'nothing';
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    let isDue = false;
    const due = (): void => {
      isDue = true;
      stop();
    };
    const timer = setTimeout(due, Math.ceil(this.#sentAtMs + positionIntervalMs - performance.now()));
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (await this.#iterator.waitForMore(waiting.signal)) return 'more';
      return isDue ? 'position' : 'nothing';
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async #pushNext(): Promise<void> {
    const iterator = this.#iterator;
    const encoder = this.#encoder;
    encoder.start(this.#max);
    const { last, fault } = isLarge(iterator.item, encoder)
      ? await collectLarge(iterator, encoder, this.#ending.signal)
      : collectUpdates(iterator, encoder, { batches: this.#max, bytes: messageBytes });
    if (last >= 0) this.#readSequence = last;
    const { count } = encoder;
    if (count > 0 || this.#mayMovePosition()) this.#send(count);
    if (fault !== undefined && count === 0)
      this.#end(`ERR sequence ${this.#readSequence + 1} cannot be told as ${this.#format}: ${fault}`);
  }

  /** Sends what the encoder holds; without updates, the position alone. */
  #send(count: number): void {
    const { reply, state } = this.#connection;
    if (count === 0) this.#encoder.start(0);
    const before = reply.out.length;
    reply.push(4);
    reply.bulkText('updates');
    reply.integer(this.#readSequence);
    reply.integer(state.store.durableSequence);
    this.#encoder.finish(reply);
    const bytes = reply.out.length - before;
    this.#outstanding.push({ last: this.#readSequence, bytes });
    this.#outstandingBytes += bytes;
    this.#sentSequence = this.#readSequence;
    this.#sentAtMs = performance.now();
    this.#connection.push();
  }

  #mayMovePosition(): boolean {
    return (
      this.#readSequence > this.#sentSequence && performance.now() - this.#sentAtMs >= positionIntervalMs
    );
  }

  #acknowledgement(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#ending.signal.aborted) resolve();
    });
  }

  #fail(error: unknown): void {
    if (this.#ending.signal.aborted) return;
    if (!isTailraceError(error)) this.#connection.state.options.onDefect(error, 'streamupdates');
    this.#end(isTailraceError(error) ? `ERR ${error.message}` : 'ERR internal error');
  }

  #end(reason: string): void {
    const { reply } = this.#connection;
    reply.push(2);
    reply.bulkText('updates-end');
    reply.bulkText(reason);
    this.#connection.push();
    this.#connection.updateStream = undefined;
    this.close();
  }
}

/** Bytes of batches in one message, about. */
const messageBytes = 256 * 1024;
/** A position without updates is sent at most this often. */
const positionIntervalMs = 1_000;
