import { lastValueFrom, tap } from 'rxjs';
import {
  asError,
  countChanges,
  Decoder,
  type Logger,
  orGivenUp,
  type Position,
  type Pulled,
  type PullLimit,
  type Source,
  type StartPoint,
  TailraceError,
  type Timing,
  type Transaction,
  Turns,
} from '../kit/index.js';
import type { Chunk, ChunkGroup } from './chunk.js';
import { type BatchLimit, commitGroups } from './commit-groups.js';
import { CreditGate } from './credit-gate.js';
import { creditedSource } from './credited-source.js';
import type { DeadLetterTarget } from './dead-letters/dead-letters.js';
import type { ErrorPolicy } from './refused-changes.js';
import { type SinkLane, SinkRewound } from './sink-lane.js';

/** Turns a transaction into what one sink is to see. Its sequence range and bytes must stay, so that positions advance. */
export type TransactionTransform = (transaction: Transaction) => Transaction | Promise<Transaction>;

/** Turns batches into changes; keeps what it has seen of each key. */
export interface TransactionDecoder {
  decode(batch: Buffer): Transaction;
  /** As `decode`, for a large batch, yielding to the event loop now and then; without it, large batches are decoded at once. */
  decodeInTurns?(batch: Buffer, turns: Turns): Promise<Transaction>;
}

/** The steps whose time is measured, once per write. `deliver` is the whole way from the source to the sink. */
export type Stage = 'decode' | 'transform' | 'write' | 'deliver';

export interface BranchOptions {
  readonly pipeline: string;
  /** A session or cursor of this branch alone. */
  readonly source: Source;
  /** Default: one of the data model. */
  readonly makeDecoder?: () => TransactionDecoder;
  readonly transform?: TransactionTransform;
  readonly startAt: 'beginning' | 'latest';
  readonly undecodable: ErrorPolicy;
  readonly deadLetters?: DeadLetterTarget;
  readonly creditBytes: number;
  readonly pullLimit: PullLimit;
  readonly batchLimit: BatchLimit;
  readonly timing: Timing;
  readonly log: Logger;
  readonly onPulled: (pulled: Pulled) => Promise<void>;
  readonly onStage?: (stage: Stage, sink: string, ms: number) => void;
}

export type BranchState = 'starting' | 'running' | 'stopped' | 'failed';

/**
 * The way to one sink: its place in the source, its credit, decoding, transforms, and the lane that writes.
 *
 * The item of the stream is a chunk: whole transactions, with credit held for their bytes until the sink has them. So
 * memory is bounded by the credit however slow the sink is; other branches do not notice.
 */
export class Branch {
  readonly lane: SinkLane;
  readonly #options: BranchOptions;
  readonly #waiting = new Set<Chunk>();
  #gate: CreditGate;
  #state: BranchState = 'starting';
  #error: Error | undefined;
  /** The sequence number after which it began if the sink had no position; null until that is known. */
  #origin: number | null = 0;
  #isSourceAsked = false;
  pulledBatches = 0;
  pulledBytes = 0;
  changes = 0;
  filteredChanges = 0;
  undecodableChanges = 0;

  constructor(lane: SinkLane, options: BranchOptions) {
    this.lane = lane;
    this.#options = options;
    this.#gate = new CreditGate(options.creditBytes);
  }

  get state(): BranchState {
    return this.#state;
  }

  /** What ended it, while `state` is `failed`. */
  get error(): Error | undefined {
    return this.#error;
  }

  get creditBytesInUse(): number {
    return this.#gate.usedBytes;
  }

  /** False once it has ended, and while it waits for the source to answer. */
  get isDelivering(): boolean {
    return (this.#state === 'starting' || this.#state === 'running') && !this.#isSourceAsked;
  }

  /** The oldest chunk that the sink does not have yet. */
  get oldestWaiting(): { readonly sequence: number; readonly sinceMs: number } | null {
    for (const { batches, pulledAtMs } of this.#waiting)
      return { sequence: batches[0].sequence, sinceMs: pulledAtMs };
    return null;
  }

  /** The sequence number up to which everything is handled; null until the sink, or a start at the latest, tells it. */
  get reached(): number | null {
    return this.lane.isClaimed ? (this.lane.reached?.sequence ?? this.#origin) : null;
  }

  /**
   * Runs until the source ends or `signal` aborts; then what is in flight is delivered, unless `hardStop` aborts too.
   * @throws what ended it; the sink's position stands where the sink stands
   */
  async run(signal: AbortSignal, hardStop: AbortSignal): Promise<void> {
    this.#error = undefined;
    try {
      while (await this.#runSession(signal, hardStop));
      this.#state = 'stopped';
    } catch (error) {
      // A start that the operator interrupted has nothing to report.
      if (signal.aborted && !hardStop.aborted && this.#state === 'starting') {
        this.#state = 'stopped';
        return;
      }
      this.#state = 'failed';
      this.#error = asError(error);
      throw error;
    }
  }

  /** From claiming the sink to the end of the stream. True when the sink was rewound and a new session is due. */
  async #runSession(signal: AbortSignal, hardStop: AbortSignal): Promise<boolean> {
    const { source, makeDecoder, log, pipeline, pullLimit, batchLimit, timing } = this.#options;
    const { lane } = this;
    this.#state = 'starting';
    const start = await this.#startPoint(await lane.claim(signal, hardStop), signal, hardStop);
    this.#origin = start.kind === 'latest' ? null : 0;
    await this.#ofSource(source.open(start, signal), hardStop);
    if (source.hasSlots === true && lane.sink.refusesSlots === true) throw hasSlots(lane.name);
    log.info('pipeline started', {
      pipeline,
      sink: lane.name,
      start: start.kind,
      after: lane.position?.sequence ?? 0,
    });
    this.#state = 'running';
    this.#gate = new CreditGate(this.#gate.limitBytes);
    const over = new AbortController();
    const { chunks, ended } = creditedSource(
      {
        now: timing.now,
        pull: (pulling) => this.#ofSource(source.pull(pullLimit, pulling), hardStop),
        onPulled: (pulled) => {
          this.pulledBatches += pulled.batches.length;
          this.#origin ??= (pulled.batches.at(0)?.sequence ?? pulled.latestSequence + 1) - 1;
          return this.#ofSource(this.#options.onPulled(pulled), hardStop);
        },
      },
      this.#gate,
      AbortSignal.any([signal, over.signal]),
    );
    const decoder = makeDecoder?.() ?? new Decoder({ hasSlots: source.hasSlots === true });
    const delivered = chunks.pipe(
      tap((chunk) => chunk.creditBytes > 0 && this.#waiting.add(chunk)),
      commitGroups(
        { ...batchLimit, maxCreditBytes: this.#gate.limitBytes / 2 },
        {
          // Transforms and the dead letter target may hang: they too are given up at the hard stop.
          prepare: (group) => orGivenUp(this.#prepare(group, decoder), hardStop),
          announce: (group) => lane.announce(group),
          deliver: (group) => lane.deliver(group, hardStop),
        },
      ),
      tap((chunk) => this.#delivered(chunk)),
    );
    try {
      await lastValueFrom(delivered, { defaultValue: undefined });
      await lane.settle(hardStop);
      return false;
    } catch (error) {
      if (!(error instanceof SinkRewound)) throw error;
      // When it was told to stop, the next start delivers it.
      log.warn('a sink lost data, delivering again from its position', { reason: error.message });
      return !signal.aborted;
    } finally {
      // The source must not be pulled any more when it is opened again, or disposed.
      over.abort();
      await ended;
      this.#waiting.clear();
    }
  }

  /** Where the source is to start. A start at the latest is one at the newest batch, which the sink stores first. */
  async #startPoint(held: Position | null, signal: AbortSignal, hardStop: AbortSignal): Promise<StartPoint> {
    const { startAt, source } = this.#options;
    if (held !== null) return { kind: 'after', position: held };
    if (startAt === 'beginning') return { kind: startAt };
    const newest = source.newestPosition?.(signal);
    const position = newest && (await this.#ofSource(newest, hardStop));
    if (position === undefined) return { kind: startAt };
    if (position === null) return { kind: 'beginning' };
    await this.lane.begin(position, hardStop);
    return { kind: 'after', position };
  }

  /** Waits for the source, but not beyond the hard stop: it may hang and ignore signals. */
  async #ofSource<Result>(work: Promise<Result>, hardStop: AbortSignal): Promise<Result> {
    this.#isSourceAsked = true;
    try {
      return await orGivenUp(work, hardStop);
    } finally {
      this.#isSourceAsked = false;
    }
  }

  /** Decodes and transforms. Plain loops: at full speed this sees every batch. */
  async #prepare(chunks: readonly Chunk[], decoder: TransactionDecoder): Promise<ChunkGroup> {
    const { timing, onStage } = this.#options;
    const startedMs = timing.now();
    let byteLength = 0;
    let position: Position | null = null;
    let isDecodable = true;
    const decoded: Transaction[] = [];
    const turns = new Turns();
    for (const chunk of chunks) {
      byteLength += chunk.byteLength;
      position = chunk.position ?? position;
      for (const { sequence, bytes } of chunk.batches) {
        const inTurns = bytes.length > largeBatchBytes ? decoder.decodeInTurns?.(bytes, turns) : undefined;
        const transaction = inTurns === undefined ? decoder.decode(bytes) : await inTurns;
        if (transaction.first !== sequence) throw misnumbered(sequence, transaction.first);
        if (transaction.undecodable.length > 0) isDecodable = false;
        decoded.push(transaction);
      }
    }
    this.pulledBytes += byteLength;
    onStage?.('decode', this.lane.name, timing.now() - startedMs);
    if (!isDecodable)
      for (const transaction of decoded)
        if (transaction.undecodable.length > 0) await this.#handleUndecodable(transaction);
    const transactions = await this.#transform(decoded);
    for (const transaction of transactions) this.changes += countChanges(transaction);
    return { chunks, transactions, position, byteLength };
  }

  async #transform(decoded: readonly Transaction[]): Promise<readonly Transaction[]> {
    const { transform, timing, onStage } = this.#options;
    if (transform === undefined) return decoded;
    const startedMs = timing.now();
    const transactions: Transaction[] = [];
    for (const transaction of decoded) {
      const transformed = transform(transaction);
      const kept = transformed instanceof Promise ? await transformed : transformed;
      this.filteredChanges += Math.max(0, transaction.changes.length - kept.changes.length);
      transactions.push(kept);
    }
    onStage?.('transform', this.lane.name, timing.now() - startedMs);
    return transactions;
  }

  /** Applies the policy for what could not be decoded: dead letters are durable before anything moves on. */
  async #handleUndecodable(transaction: Transaction): Promise<void> {
    const { undecodable: policy, deadLetters, pipeline, log } = this.#options;
    const [first] = transaction.undecodable;
    if (policy === 'fail')
      throw new TailraceError(first.code, `sequence number ${first.seq} cannot be decoded: ${first.reason}`, {
        context: { sequence: first.seq },
        remedy: 'Set errors.undecodable to skip or dead-letter to go on without such changes.',
      });
    this.undecodableChanges += transaction.undecodable.length;
    log.warn('changes that cannot be decoded', {
      policy,
      pipeline,
      sink: this.lane.name,
      sequence: first.seq,
      reason: first.reason,
      changes: transaction.undecodable.length,
    });
    if (policy === 'skip') return;
    await deadLetters?.add(
      transaction.undecodable.map(({ seq, code, reason }) => ({
        pipeline,
        sink: this.lane.name,
        sequence: seq,
        code,
        reason,
        transaction,
      })),
    );
  }

  #delivered(chunk: Chunk): void {
    if (chunk.creditBytes === 0) return;
    this.#waiting.delete(chunk);
    this.#gate.release(chunk.creditBytes);
    const { onStage, timing } = this.#options;
    onStage?.('deliver', this.lane.name, timing.now() - chunk.pulledAtMs);
  }
}

/** Decoding a larger batch, in bytes, takes so long that heartbeats, signals and metrics would have to wait. */
const largeBatchBytes = 256 * 1024;

const hasSlots = (sink: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `sink ${sink} cannot take batches of a store in cluster mode`, {
    context: { sink },
    remedy:
      'Their keys carry slots. The redis sink writes commands instead, to a Kvrocks and a tailrace too.',
  });

/** What a sink has already is judged by the number within the batch: a different one would silently lose changes. */
const misnumbered = (sequence: number, found: number): TailraceError =>
  new TailraceError(
    'WAL_CORRUPT',
    `the source calls a batch ${sequence} whose header has sequence number ${found}`,
    {
      context: { sequence, found },
      remedy: 'A source writes the number into each batch, as by WriteBatchBuilder.finish(sequence).',
    },
  );
