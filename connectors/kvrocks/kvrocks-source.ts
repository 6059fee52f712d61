import { setTimeout as delay } from 'node:timers/promises';
import {
  ContiguityCheck,
  isTailraceError,
  type Logger,
  type PluginContext,
  type Position,
  type Pulled,
  type PullLimit,
  parseRedisUrl,
  positionOf,
  type Reply,
  ReplyError,
  type RespAddress,
  RespConnection,
  requireSameHistory,
  type Source,
  type SourceBatch,
  type StartPoint,
  TailraceError,
} from '../../src/kit/index.js';
import { type PolledUpdates, readPolledUpdates } from './hex-batches.js';

export interface KvrocksSourceOptions {
  /** redis://[user:password@]host:port, or rediss:// */
  readonly url: string;
  /** Overrides the password of the URL. */
  readonly password: string;
  /** Batches a poll asks for while behind; 2 to 1000. */
  readonly pollBatches: number;
  /** Longest pause between polls at the tip, in ms. */
  readonly idlePollMs: number;
  /** How long a lost connection is tried again before it counts as an error, in ms; 0 = for ever. */
  readonly giveUpAfterMs: number;
}

/**
 * The changes of a Kvrocks, or of another tailrace, by POLLUPDATES.
 *
 * Always RAW and STRICT, and the contiguity of the batches is checked here too: without STRICT a purged log would be
 * a silent gap. On open and after each reconnect the batch at the position is polled again and compared with the
 * position's fingerprint, since equal sequence numbers can name other batches after a failover. While behind, the
 * next poll is under way while the last one is handled; at the tip the pause doubles from 1 ms on.
 */
export class KvrocksSource implements Source {
  readonly #options: KvrocksSourceOptions;
  readonly #address: RespAddress;
  readonly #log: Logger;
  #connection: RespConnection | undefined;
  #position: Position | null = null;
  #check = new ContiguityCheck();
  /** Last sequence number that was received. */
  #received = 0;
  #latestSequence = 0;
  #idlePauseMs = 0;
  #nextPoll: Promise<Reply> | undefined;

  constructor(options: KvrocksSourceOptions, context: PluginContext) {
    this.#options = options;
    this.#log = context.log;
    const address = parseRedisUrl(options.url);
    this.#address = options.password === '' ? address : { ...address, password: options.password };
  }

  async open(start: StartPoint, signal: AbortSignal): Promise<void> {
    this.#disconnect();
    this.#position = start.kind === 'after' ? start.position : null;
    this.#received = this.#position?.sequence ?? 0;
    await this.#retry(signal, async () => {
      const connection = await this.#connect(signal);
      if (start.kind === 'latest') this.#received = await latestSequence(connection);
    });
    this.#check = new ContiguityCheck(this.#received === 0 ? undefined : this.#received + 1);
  }

  async pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null> {
    signal.throwIfAborted();
    if (this.#idlePauseMs > 0) await delay(this.#idlePauseMs, undefined, { signal });
    const polled = await this.#retry(signal, () => this.#poll(limit, signal));
    this.#latestSequence = polled.latestSequence;
    const batches = withoutTrailingEmpty(polled.batches);
    if (batches.length === 0) {
      this.#idlePauseMs = Math.min(this.#options.idlePollMs, Math.max(1, this.#idlePauseMs * 2));
      return { batches, latestSequence: this.#latestSequence };
    }
    this.#idlePauseMs = 0;
    for (const batch of batches) this.#check.accept(batch.sequence, batch.count);
    const last = batches.findLast((batch) => batch.count > 0);
    if (last !== undefined) {
      this.#position = positionOf(last);
      this.#received = this.#position.sequence;
    }
    return { batches, latestSequence: this.#latestSequence };
  }

  async acknowledge(): Promise<void> {
    // Kvrocks keeps its log by size and age, not by consumers.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disconnect();
  }

  async #poll(limit: PullLimit, signal: AbortSignal): Promise<PolledUpdates> {
    const connection = await this.#connect(signal);
    const maxBatches = Math.max(2, Math.min(limit.maxBatches, this.#options.pollBatches));
    const reply = await abortable(this.#nextPoll ?? this.#request(connection, maxBatches), signal);
    this.#nextPoll = undefined;
    const polled = readPolledUpdates(this.#accepted(reply));
    const last = polled.batches.findLast((batch) => batch.count > 0);
    if (last !== undefined && polled.latestSequence > positionOf(last).sequence) {
      this.#nextPoll = this.#request(connection, maxBatches, last.sequence + last.count - 1);
      this.#nextPoll.catch(() => undefined); // a lost connection is seen, and mended, by the poll that awaits it
    }
    return polled;
  }

  #request(connection: RespConnection, maxBatches: number, after = this.#received): Promise<Reply> {
    return connection.call('POLLUPDATES', after, 'MAX', maxBatches, 'STRICT', 'FORMAT', 'RAW');
  }

  /** A connection whose history was found to be ours. */
  async #connect(signal: AbortSignal): Promise<RespConnection> {
    if (this.#connection !== undefined && this.#connection.error === undefined) return this.#connection;
    this.#nextPoll = undefined;
    const connection = await RespConnection.open(this.#address, { signal });
    try {
      if (this.#position !== null) await this.#verifyHistory(connection, this.#position);
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connection = connection;
    return connection;
  }

  /** Polls the batch of the position again, and compares. */
  async #verifyHistory(connection: RespConnection, position: Position): Promise<void> {
    const before = position.sequence - position.count;
    const reply = await connection.call('POLLUPDATES', before, 'MAX', 2, 'STRICT', 'FORMAT', 'RAW');
    if (reply instanceof ReplyError && reply.message.includes('out of range'))
      throw new TailraceError(
        'WAL_SEQUENCE_AHEAD',
        `${this.#place} has nothing at sequence number ${position.sequence}`,
        {
          context: { wanted: position.sequence },
          remedy:
            'The source lost its newest writes or is another one: start from a new snapshot, or reset the position.',
        },
      );
    const { batches } = readPolledUpdates(this.#accepted(reply));
    const found = batches.find((batch) => batch.count > 0);
    if (found !== undefined) requireSameHistory(position, found);
  }

  /** The reply, unless it is an error: then the typed error that it stands for. */
  #accepted(reply: Reply): Reply {
    if (!(reply instanceof ReplyError)) return reply;
    const { message } = reply;
    const context = { source: this.#place };
    const mismatch = /expected (\d+) but got (\d+)/.exec(message);
    if (mismatch !== null) {
      const [wanted, first] = [Number(mismatch[1]), Number(mismatch[2])];
      if (first > wanted)
        throw new TailraceError(
          'WAL_PURGED',
          `the log of ${this.#place} no longer has sequence number ${wanted}, it begins at ${first}`,
          {
            context: { ...context, wanted, first },
            remedy:
              'Start from a new snapshot, and raise rocksdb.wal_ttl_seconds and rocksdb.wal_size_limit_mb at the source.',
          },
        );
      throw new TailraceError('HISTORY_MISMATCH', `${this.#place} has another history: ${message}`, {
        context,
        remedy: 'The source was restored or failed over: start from a new snapshot, or reset the position.',
      });
    }
    if (message.includes('next sequence is out of range'))
      throw new TailraceError(
        'WAL_SEQUENCE_AHEAD',
        `${this.#place} has nothing behind sequence number ${this.#received} yet lost it`,
        {
          context: { ...context, wanted: this.#received },
          remedy: 'The source lost its newest writes: start from a new snapshot, or reset the position.',
        },
      );
    if (/^(NOAUTH|WRONGPASS|NOPERM)|invalid password|admin permission|Authentication/i.test(message))
      throw new TailraceError('SOURCE_REFUSED', `${this.#place} refuses POLLUPDATES: ${message}`, {
        context,
        remedy:
          'Give the password of the administrator (requirepass); newer versions refuse the tokens of namespaces.',
      });
    if (/^LOADING|loading/i.test(message)) throw new Error(message);
    throw new TailraceError('SOURCE_UNSUPPORTED', `${this.#place} cannot be polled: ${message}`, {
      context,
      remedy: 'POLLUPDATES needs Apache Kvrocks 2.10 or later, or tailrace serve.',
    });
  }

  /** Runs `work`; a lost connection is mended with growing, random pauses until it works or must be given up. */
  async #retry<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const firstFailure = { atMs: 0 };
    for (let failures = 0; ; failures++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        if (isTailraceError(error) && error.code !== 'SOURCE_UNREACHABLE') throw error;
        this.#disconnect();
        const now = performance.now();
        if (failures === 0) firstFailure.atMs = now;
        const { giveUpAfterMs } = this.#options;
        if (giveUpAfterMs > 0 && now - firstFailure.atMs >= giveUpAfterMs) throw this.#unreachable(error);
        const reason = error instanceof Error ? error.message : String(error);
        this.#log.warn('the source cannot be reached, trying again', { source: this.#place, reason });
        await delay(Math.random() * Math.min(maxRetryPauseMs, firstRetryPauseMs * 2 ** failures), undefined, {
          signal,
        });
      }
    }
  }

  #unreachable(cause: unknown): TailraceError {
    if (isTailraceError(cause)) return cause;
    return new TailraceError('SOURCE_UNREACHABLE', `the connection to ${this.#place} was lost`, {
      context: { source: this.#place },
      remedy: 'Check that the server is running; the pipeline goes on from its position when started again.',
      cause,
    });
  }

  get #place(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#nextPoll = undefined;
  }
}

const firstRetryPauseMs = 20;
const maxRetryPauseMs = 2_000;

const latestSequence = async (connection: RespConnection): Promise<number> => {
  const reply = await connection.call('POLLUPDATES', 0, 'MAX', 1);
  if (reply instanceof ReplyError) throw reply;
  return readPolledUpdates(reply).latestSequence;
};

/** Batches without counted records at the end are left out: the next poll brings them again, with what follows. */
const withoutTrailingEmpty = (batches: readonly SourceBatch[]): SourceBatch[] => {
  const last = batches.findLastIndex((batch) => batch.count > 0);
  return batches.slice(0, last + 1);
};

const abortable = <Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> =>
  new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
