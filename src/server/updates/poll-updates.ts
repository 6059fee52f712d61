import type { WalIterator } from '../../engine/index.js';
import type { Connection } from '../connection.js';
import { startTimeout } from '../longest-timer.js';
import { type CollectedUpdates, collectLarge, collectUpdates, isLarge } from './collect-updates.js';
import { PollCursor } from './poll-cursor.js';
import { type UpdateEncoder, updateEncoder } from './update-encoder.js';
import type { UpdateRequest } from './update-request.js';
import { mismatch, startOf } from './update-start.js';

/**
 * Answers one poll: `next_sequence`, `latest_sequence`, `updates`. With BLOCK the answer waits until there is
 * something, or the time is over; the position has then moved behind what was passed over.
 */
export const answerPoll = (connection: Connection, request: UpdateRequest): void => {
  const { reply, state } = connection;
  const start = startOf(request, state);
  if (start.kind === 'refused') {
    reply.error(start.text);
    return;
  }
  const mayWait = request.blockMs !== undefined && connection.mayWait;
  if (start.kind === 'tip' && !mayWait) {
    const isSame = request.sinceTimeMs === undefined;
    writeUpdates(connection, isSame ? request.sequence : start.latest);
    return;
  }
  connection.pollCursor ??= new PollCursor(state.store);
  const cursor = connection.pollCursor;
  const since = start.kind === 'tip' ? start.latest : start.next - 1;
  const iterator = cursor.after(Math.max(since, 0));
  if (request.isStrict && iterator.valid && iterator.item.sequence !== since + 1) {
    reply.error(mismatch(since + 1, iterator.item.sequence));
    cursor.close();
    return;
  }
  const poll = new Poll(connection, request, cursor, iterator, since);
  if (connection.mayWait && poll.isNextLarge) poll.wait();
  else if (!poll.collect() && mayWait) poll.wait();
  else poll.answer();
};

/** A poll under way: what was collected so far. */
class Poll {
  readonly #connection: Connection;
  readonly #request: UpdateRequest;
  readonly #cursor: PollCursor;
  readonly #iterator: WalIterator;
  readonly #encoder: UpdateEncoder;
  /** Last sequence number before this poll, and what it has passed over or collected. */
  readonly #since: number;
  #last = -1;
  #collected: CollectedUpdates = { last: -1, endsEmpty: false, fault: undefined };

  constructor(
    connection: Connection,
    request: UpdateRequest,
    cursor: PollCursor,
    iterator: WalIterator,
    since: number,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#cursor = cursor;
    this.#iterator = iterator;
    this.#since = since;
    this.#encoder = updateEncoder(request.format, request.filter, cursor.decoder);
  }

  get isNextLarge(): boolean {
    return this.#iterator.valid && isLarge(this.#iterator.item, this.#encoder);
  }

  /** Reads on; true when there is something to answer. */
  collect(): boolean {
    this.#encoder.start(this.#request.max);
    const bounds = { batches: this.#request.max, bytes: maxReplyBytes };
    return this.#take(collectUpdates(this.#iterator, this.#encoder, bounds));
  }

  async #collectLarge(signal: AbortSignal): Promise<void> {
    this.#encoder.start(this.#request.max);
    this.#take(await collectLarge(this.#iterator, this.#encoder, signal));
  }

  #take(collected: CollectedUpdates): boolean {
    this.#collected = collected;
    if (collected.last >= 0) this.#last = collected.last;
    return this.#encoder.count > 0 || collected.fault !== undefined;
  }

  answer(): void {
    const { endsEmpty, fault } = this.#collected;
    if (this.#last < 0 || endsEmpty) this.#cursor.close();
    else this.#cursor.advance(this.#last);
    if (fault !== undefined && this.#last < 0) {
      const sequence = this.#iterator.valid ? this.#iterator.item.sequence : this.#since + 1;
      this.#connection.reply.error(
        `ERR sequence ${sequence} cannot be told as ${this.#request.format}, poll it as RAW: ${fault}`,
      );
      return;
    }
    const next = this.#last >= 0 ? this.#last : this.#nothingRead();
    writeUpdates(this.#connection, next, this.#encoder);
  }

  /** Goes on reading as the log grows; without BLOCK, until the large batch that is next is written. */
  wait(): void {
    const connection = this.#connection;
    const { blockMs } = this.#request;
    const ending = new AbortController();
    const timeOut = (): void => {
      this.#encoder.start(0); // what it wrote last belongs to nobody: another poll may have used its memory
      this.#finish();
    };
    const timer = startTimeout(blockMs ?? 0, timeOut);
    connection.suspend({
      ...(blockMs === undefined ? { isUnderWay: true } : { timeOut }),
      cancel: () => {
        clearTimeout(timer);
        ending.abort();
      },
    });
    this.#readOn(ending.signal, timer).catch((error: unknown) => {
      if (!ending.signal.aborted) connection.releaseWithError(error, 'pollupdates');
    });
  }

  /** Until there is something to answer, which is answered at once: encoders share memory. */
  async #readOn(signal: AbortSignal, timer: NodeJS.Timeout | undefined): Promise<void> {
    while (!signal.aborted) {
      if (this.#iterator.valid) await nextTurn();
      else if (await this.#iterator.waitForMore(signal)) this.#iterator.next();
      else return; // the store closes, and the server with it
      if (signal.aborted) return;
      if (this.isNextLarge) {
        clearTimeout(timer); // or who blocks for less than it takes would never get it
        await this.#collectLarge(signal);
        this.#finish();
      } else if (this.collect()) this.#finish();
    }
  }

  /** What the log tells is durable, so the answer waits for nothing. */
  #finish(): void {
    this.#connection.release(() => this.answer(), this.#connection.state.store.durableSequence);
  }

  #nothingRead(): number | bigint {
    return this.#request.sinceTimeMs === undefined ? this.#request.sequence : Math.max(this.#since, 0);
  }
}

const writeUpdates = (connection: Connection, next: number | bigint, encoder?: UpdateEncoder): void => {
  const { reply, state } = connection;
  reply.map(3);
  reply.bulk(nextSequence);
  reply.integer(next);
  reply.bulk(latestSequence);
  reply.integer(state.store.durableSequence);
  reply.bulk(updatesWord);
  if (encoder === undefined) reply.array(0);
  else encoder.finish(reply);
};

/** Others get their turn. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes of batches in one reply; their hexadecimal text is twice as long. */
const maxReplyBytes = 8 * 1024 * 1024;
const nextSequence = Buffer.from('next_sequence');
const latestSequence = Buffer.from('latest_sequence');
const updatesWord = Buffer.from('updates');
