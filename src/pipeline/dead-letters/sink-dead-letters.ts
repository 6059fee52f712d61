import {
  Backoff,
  type Claim,
  Decoder,
  isSamePosition,
  isTailraceError,
  messageOf,
  onceSettled,
  orGivenUp,
  type Position,
  positionOf,
  type Sink,
  systemTiming,
  TailraceError,
  type Timing,
  type Transaction,
  WriteBatchBuilder,
} from '../../kit/index.js';
import { type DeadLetter, type DeadLetterTarget, type StoredLetter, storedLetter } from './dead-letters.js';

/**
 * Dead letters written by a sink, such as to a Kafka topic: each is a string put under the key `SINK/SEQUENCE`, with
 * the letter as JSON for its value. With a sink that holds its position each letter arrives once. A sink cannot be read:
 * what somebody reads there ReadDeadLetters takes.
 */
export class SinkDeadLetters implements DeadLetterTarget {
  readonly #sink: Sink;
  readonly #name: string;
  readonly #timing: Timing;
  readonly #decoder = new Decoder();
  #claim: Claim | undefined;
  #position: Position | null = null;
  readonly #disposed = new AbortController();
  #queue: Promise<void> = Promise.resolve();

  /** @param name of the sink, for messages; the sink is disposed with this */
  constructor(sink: Sink, name: string, timing: Timing = systemTiming) {
    this.#sink = sink;
    this.#name = name;
    this.#timing = timing;
  }

  /** One write after the other: several sinks of a pipeline may have letters at once. */
  add(letters: readonly DeadLetter[]): Promise<void> {
    const stored = letters.map(storedLetter);
    const added = this.#queue.then(() => this.#write(stored));
    this.#queue = added.catch(() => undefined); // whoever added them is told
    return added;
  }

  async list(): Promise<readonly StoredLetter[]> {
    throw this.#onlyWritten();
  }

  async settle(): Promise<void> {
    throw this.#onlyWritten();
  }

  /** Whoever still waits for letters to get there has given that up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new Error('it was given up'));
    await this.#queue;
    await this.#sink[Symbol.asyncDispose]();
  }

  async #write(letters: readonly StoredLetter[]): Promise<void> {
    const { signal } = this.#disposed;
    const backoff = new Backoff(retry, this.#timing);
    for (;;) {
      try {
        if (await orGivenUp(this.#tryWrite(letters, signal), signal)) return;
      } catch (cause) {
        this.#claim = undefined;
        const isWorthATry = cause instanceof WorthATry || isTailraceError(cause, 'SINK_UNREACHABLE');
        if (signal.aborted || !isWorthATry || !backoff.mayRetry()) throw this.#failed(cause);
      }
      await backoff.wait(signal);
    }
  }

  /** True when the letters are durable. */
  async #tryWrite(letters: readonly StoredLetter[], signal: AbortSignal): Promise<boolean> {
    if (this.#claim === undefined) {
      const claim = await this.#sink.claim(signal);
      this.#claim = claim;
      if (this.#sink.holdsPosition) this.#position = claim.position;
    }
    const previous = this.#position;
    const transactions = this.#transactionsOf(letters, (previous?.sequence ?? 0) + 1);
    const last = transactions[transactions.length - 1];
    const position = positionOf({ sequence: last.first, count: last.count, bytes: last.bytes });
    const byteLength = transactions.reduce((total, { bytes }) => total + bytes.length, 0);
    const batch = { transactions, position, previous, byteLength };
    const outcome = await onceSettled(this.#sink.write(batch, this.#claim, signal));
    switch (outcome.kind) {
      case 'durable':
        this.#position = position;
        return true;
      case 'retryable':
        throw new WorthATry(outcome.error.message);
      case 'unknown': {
        this.#claim = await this.#sink.claim(signal);
        if (!this.#sink.holdsPosition) return false;
        this.#position = this.#claim.position;
        return isSamePosition(this.#position, position);
      }
      case 'poison':
        throw new Error(`it refuses them: ${outcome.rejections[0]?.reason}`);
      default:
        throw outcome.error;
    }
  }

  #transactionsOf(letters: readonly StoredLetter[], sequence: number): Transaction[] {
    return letters.map((letter, at) => {
      const key = Buffer.from(`${letter.sink}/${letter.sequence}`);
      const value = Buffer.from(JSON.stringify(letter));
      const batch = new WriteBatchBuilder().put(
        metadataFamily,
        Buffer.concat([namespace, key]),
        Buffer.concat([stringHeader, value]),
      );
      return this.#decoder.decode(Buffer.from(batch.finish(sequence + at)));
    });
  }

  #failed(cause: unknown): TailraceError {
    const reason = messageOf(cause);
    return new TailraceError(
      'DEAD_LETTERS_FAILED',
      `the dead letters do not get into ${this.#name}: ${reason}`,
      {
        context: { sink: this.#name },
        remedy: 'Mend the target of the dead letters: the pipeline goes on from where it stands.',
        cause,
      },
    );
  }

  #onlyWritten(): TailraceError {
    return new TailraceError('USAGE', `the dead letters are in ${this.#name}, which is only written here`, {
      remedy:
        'Read them there, and give what was read to this command by --from FILE, or --from - for its input.',
    });
  }
}

/** A failure that may pass. */
class WorthATry extends Error {}

const retry = { initialMs: 100, maxMs: 5_000, giveUpAfterMs: 60_000 };
const metadataFamily = 1;
const namespace = Buffer.from('\x0b__namespace', 'latin1');
/** flags: current layout, string; no expiry. */
const stringHeader = Buffer.from([0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
