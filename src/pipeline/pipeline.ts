import { BehaviorSubject, concatMap, connect, lastValueFrom, merge, type Observable, tap } from 'rxjs';
import { TailraceError } from '../errors/index.js';
import type { Guarantee, Logger, Position, Sink, Source, StartPoint, Transaction } from '../kit/index.js';
import { type RetryOptions, systemTiming, type Timing } from './backoff.js';
import { type ChangePredicate, filterTransaction } from './change-filter.js';
import type { Chunk } from './chunk.js';
import { type BatchLimit, commitTo } from './commit-to.js';
import { CreditGate } from './credit-gate.js';
import { creditedSource, type TransactionDecoder } from './credited-source.js';
import type { DeadLetterTarget } from './dead-letters.js';
import type { OffsetsStore } from './offsets-store.js';
import { type ErrorPolicy, SinkLane, SinkRewound } from './sink-lane.js';

export interface PipelineOptions {
  /** Unique name; positions are kept under it. */
  readonly name: string;
  readonly source: Source;
  readonly sinks: readonly { readonly name: string; readonly sink: Sink }[];
  /** Makes the decoder of a session; a new one begins with an empty memory of keys. */
  readonly makeDecoder: () => TransactionDecoder;
  readonly filter?: ChangePredicate;
  /** Where to start when no sink has a position yet; default `beginning`. */
  readonly startAt?: 'beginning' | 'latest';
  readonly errors?: { readonly undecodable?: ErrorPolicy; readonly poison?: ErrorPolicy };
  readonly deadLetters?: DeadLetterTarget;
  readonly offsets?: OffsetsStore;
  /** Memory for changes between the source and the sinks, in bytes of their data and their objects; default 4 MiB. */
  readonly creditBytes?: number;
  /** One pull from the source, at most; defaults 250 batches and 1 MiB. */
  readonly pullBatches?: number;
  readonly pullBytes?: number;
  /** One write to a sink, at most; defaults 10,000 changes and 8 MiB. */
  readonly batch?: Partial<BatchLimit>;
  readonly retry?: Partial<RetryOptions>;
  /** How long a stop waits for what is in flight; default 30 s. */
  readonly drainTimeoutMs?: number;
  readonly timing?: Timing;
  readonly log: Logger;
}

/** Figures of a running pipeline. */
export interface PipelineStatus {
  readonly name: string;
  readonly state: 'starting' | 'running' | 'draining' | 'stopped' | 'failed';
  readonly pulledBatches: number;
  readonly pulledBytes: number;
  /** Changes that passed the filter. */
  readonly changes: number;
  readonly filteredChanges: number;
  /** Changes that could not be decoded and were skipped or dead-lettered. */
  readonly undecodableChanges: number;
  readonly latestSequence: number;
  readonly creditBytesInUse: number;
  readonly sinks: readonly {
    readonly name: string;
    readonly guarantee: Guarantee;
    readonly position: Position | null;
    /** Sequence numbers between the source's newest and the sink's position. */
    readonly lag: number;
    readonly writtenChanges: number;
    readonly writes: number;
    readonly rejectedChanges: number;
    readonly retries: number;
  }[];
}

/**
 * One source, its changes, and the sinks that they go to, each with its own position.
 *
 * The item of the stream is a chunk: whole transactions, with credit held for their bytes until every sink has
 * them. So memory is bounded by `creditBytes` however slow a sink is: a sink that stops stops the source.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #lanes: readonly SinkLane[];
  #gate: CreditGate;
  #acknowledgedAtMs = 0;
  readonly #batchLimit: BatchLimit;
  readonly #undecodable: ErrorPolicy;
  readonly #states = new BehaviorSubject<PipelineStatus['state']>('starting');
  readonly #owed = new Map<Chunk, number>();
  #pulledBatches = 0;
  #pulledBytes = 0;
  #changes = 0;
  #filteredChanges = 0;
  #undecodableChanges = 0;
  #latestSequence = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#gate = new CreditGate(options.creditBytes ?? defaultCreditBytes);
    this.#batchLimit = { maxChanges: 10_000, maxBytes: 8 * 1024 * 1024, ...options.batch };
    this.#undecodable = options.errors?.undecodable ?? 'fail';
    this.#lanes = options.sinks.map(
      ({ name, sink }) =>
        new SinkLane(sink, {
          pipeline: options.name,
          name,
          retry: { initialMs: 50, maxMs: 10_000, giveUpAfterMs: Number.POSITIVE_INFINITY, ...options.retry },
          poison: options.errors?.poison ?? 'fail',
          timing: options.timing ?? systemTiming,
          log: options.log,
          ...(options.deadLetters === undefined ? {} : { deadLetters: options.deadLetters }),
          ...(options.offsets === undefined ? {} : { offsets: options.offsets }),
        }),
    );
  }

  /**
   * Runs until the source ends, or `signal` aborts: then nothing more is pulled, what is in flight is delivered, and
   * the positions are stored. The source and the sinks stay the caller's to dispose.
   * @throws TailraceError what ended it; positions stand where the sinks stand
   */
  async run(signal: AbortSignal): Promise<void> {
    const hardStop = new AbortController();
    let drainTimer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      this.#states.next('draining');
      const give = this.#options.drainTimeoutMs ?? defaultDrainTimeoutMs;
      drainTimer = setTimeout(() => hardStop.abort(drainTimedOut(this.#options.name, give)), give);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (await this.#runSession(signal, hardStop.signal));
      this.#states.next('stopped');
    } catch (error) {
      // A start that the operator interrupted has nothing to report.
      if (signal.aborted && !hardStop.signal.aborted && this.#pulledBatches === 0) {
        this.#states.next('stopped');
        return;
      }
      this.#states.next('failed');
      throw hardStop.signal.aborted ? hardStop.signal.reason : error;
    } finally {
      clearTimeout(drainTimer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Emits at each change of state. */
  get states(): Observable<PipelineStatus['state']> {
    return this.#states.asObservable();
  }

  status(): PipelineStatus {
    return {
      name: this.#options.name,
      state: this.#states.value,
      pulledBatches: this.#pulledBatches,
      pulledBytes: this.#pulledBytes,
      changes: this.#changes,
      filteredChanges: this.#filteredChanges,
      undecodableChanges: this.#undecodableChanges,
      latestSequence: this.#latestSequence,
      creditBytesInUse: this.#gate.usedBytes,
      sinks: this.#lanes.map((lane) => ({
        name: lane.name,
        guarantee: lane.sink.guarantee,
        position: lane.position,
        lag: Math.max(0, this.#latestSequence - (lane.position?.sequence ?? 0)),
        writtenChanges: lane.writtenChanges,
        writes: lane.writtenBatches,
        rejectedChanges: lane.rejectedChanges,
        retries: lane.retries,
      })),
    };
  }

  /** From claiming the sinks to the end of the stream. True when a sink was rewound and a new session is due. */
  async #runSession(signal: AbortSignal, hardStop: AbortSignal): Promise<boolean> {
    const { source, makeDecoder, log } = this.#options;
    const positions: (Position | null)[] = [];
    for (const lane of this.#lanes) positions.push(await lane.claim(signal));
    const start = this.#startPoint(positions);
    await source.open(start, signal);
    log.info('pipeline started', {
      pipeline: this.#options.name,
      start: start.kind,
      after: lowest(positions)?.sequence ?? 0,
    });
    this.#states.next(signal.aborted ? 'draining' : 'running');
    this.#gate = new CreditGate(this.#gate.limitBytes);
    const over = new AbortController();
    const { chunks, ended } = creditedSource(
      source,
      makeDecoder(),
      this.#gate,
      this.#pullLimit,
      AbortSignal.any([signal, over.signal]),
      async (pulled) => {
        this.#latestSequence = pulled.latestSequence;
        this.#pulledBatches += pulled.batches.length;
        await this.#acknowledgeNowAndThen();
      },
    );
    const delivered = chunks.pipe(
      concatMap((chunk) => this.#prepare(chunk)),
      tap((chunk) => this.#owed.set(chunk, this.#lanes.length)),
      connect((shared) =>
        merge(...this.#lanes.map((lane) => shared.pipe(commitTo(lane, this.#batchLimit, hardStop)))),
      ),
      tap((chunk) => this.#delivered(chunk)),
    );
    try {
      await lastValueFrom(delivered, { defaultValue: undefined });
      for (const lane of this.#lanes) await lane.settle();
      await this.#acknowledge();
      return false;
    } catch (error) {
      if (!(error instanceof SinkRewound) || signal.aborted) throw error;
      log.warn('a sink lost data, delivering again from its position', { reason: error.message });
      return true;
    } finally {
      // Nobody may pull any more when the source is opened again, or disposed.
      over.abort();
      await ended;
      this.#owed.clear();
    }
  }

  #startPoint(positions: readonly (Position | null)[]): StartPoint {
    const position = lowest(positions);
    return position === null ? { kind: this.#options.startAt ?? 'beginning' } : { kind: 'after', position };
  }

  get #pullLimit(): { maxBatches: number; maxBytes: number } {
    return {
      maxBatches: this.#options.pullBatches ?? 250,
      maxBytes: this.#options.pullBytes ?? 1024 * 1024,
    };
  }

  /** Filters, and applies the policy for what could not be decoded: dead letters are durable before anything moves on. */
  async #prepare(chunk: Chunk): Promise<Chunk> {
    this.#pulledBytes += chunk.byteLength;
    const { filter } = this.#options;
    const transactions: Transaction[] = [];
    for (const transaction of chunk.transactions) {
      if (transaction.undecodable.length > 0) await this.#handleUndecodable(transaction);
      const kept = filter === undefined ? transaction : filterTransaction(transaction, filter);
      this.#changes += kept.changes.length;
      this.#filteredChanges += transaction.changes.length - kept.changes.length;
      transactions.push(kept);
    }
    return { ...chunk, transactions };
  }

  async #handleUndecodable(transaction: Transaction): Promise<void> {
    const [first] = transaction.undecodable;
    if (this.#undecodable === 'fail')
      throw new TailraceError(first.code, `sequence number ${first.seq} cannot be decoded: ${first.reason}`, {
        context: { sequence: first.seq },
        remedy: 'Set errors.undecodable to skip or dead-letter to go on without such changes.',
      });
    this.#undecodableChanges += transaction.undecodable.length;
    this.#options.log.warn('changes that cannot be decoded', {
      policy: this.#undecodable,
      sequence: first.seq,
      reason: first.reason,
      changes: transaction.undecodable.length,
    });
    if (this.#undecodable === 'skip') return;
    await this.#options.deadLetters?.add(
      transaction.undecodable.map(({ seq, code, reason }) => ({
        pipeline: this.#options.name,
        sequence: seq,
        code,
        reason,
        transaction,
      })),
    );
  }

  /** One sink has the chunk; when all have it, its credit goes back. */
  #delivered(chunk: Chunk): void {
    const left = (this.#owed.get(chunk) ?? 1) - 1;
    if (left > 0) {
      this.#owed.set(chunk, left);
      return;
    }
    this.#owed.delete(chunk);
    this.#gate.release(chunk.creditBytes);
  }

  /** Tells the source what it may forget. */
  async #acknowledge(): Promise<void> {
    const position = lowest(this.#lanes.map((lane) => lane.durablePosition));
    if (position !== null) await this.#options.source.acknowledge(position);
  }

  async #acknowledgeNowAndThen(): Promise<void> {
    const now = performance.now();
    if (now - this.#acknowledgedAtMs < acknowledgeIntervalMs) return;
    this.#acknowledgedAtMs = now;
    await this.#acknowledge();
  }
}

const acknowledgeIntervalMs = 1_000;
const defaultCreditBytes = 4 * 1024 * 1024;
const defaultDrainTimeoutMs = 30_000;

/** The position that every sink has reached; null when one of them has none. */
const lowest = (positions: readonly (Position | null)[]): Position | null =>
  positions.reduce((low, position) =>
    low === null || position === null ? null : position.sequence < low.sequence ? position : low,
  );

const drainTimedOut = (pipeline: string, timeoutMs: number): TailraceError =>
  new TailraceError(
    'SINK_FAILED',
    `pipeline ${pipeline} could not deliver what was in flight within ${timeoutMs} ms`,
    {
      context: { pipeline },
      remedy: 'Nothing is lost: the next start goes on where the sinks stand.',
    },
  );
