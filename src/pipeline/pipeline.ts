import { BehaviorSubject, type Observable } from 'rxjs';
import {
  isTailraceError,
  messageOf,
  orGivenUp,
  type Position,
  type Pulled,
  type Retention,
  SequenceClock,
  type Source,
  systemTiming,
  TailraceError,
  type Timing,
} from '../kit/index.js';
import { Branch, type TransactionTransform } from './branch.js';
import { type ChangePredicate, filterTransaction } from './change-filter.js';
import type { PipelineOptions, PipelineSink } from './pipeline-options.js';
import { type PipelineState, type PipelineStatus, statusOf } from './pipeline-status.js';
import { SharedSource } from './shared-source.js';
import { failureOf, type SinkFailure } from './sink-errors.js';
import { SinkLane } from './sink-lane.js';

/**
 * One source, its changes, and the sinks that they go to, each with its own position and speed.
 *
 * A branch leads to each sink. What they read is read once while they are near each other; a sink that is slow, dead or
 * failed for good does not hold back the others.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #shared: SharedSource | undefined;
  readonly #source: Source | undefined;
  readonly #branches: readonly Branch[];
  readonly #timing: Timing;
  readonly #clock = new SequenceClock();
  readonly #states = new BehaviorSubject<PipelineState>('starting');
  readonly #stopped = new AbortController();
  #isRunning = false;
  #error: string | null = null;
  #round = new AbortController();
  #wanted: 'running' | 'paused' = 'running';
  #wake: () => void = () => undefined;
  #acknowledgedAtMs = 0;
  #latestSequence: number | null = null;
  #retention: Retention | undefined;
  #sourceAskedMs = Number.NEGATIVE_INFINITY;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
    const { source, sinks } = options;
    if (sinks.length > 1 && typeof source !== 'function')
      throw new TailraceError(
        'USAGE',
        `pipeline ${options.name} has several sinks but one session of its source`,
        {
          context: { pipeline: options.name },
          remedy: 'Give it a function that makes the source: each sink reads at a place of its own.',
        },
      );
    if (typeof source === 'function' && sinks.length > 1)
      this.#shared = new SharedSource(source, options.sharedBytes ?? defaultSharedBytes);
    else this.#source = typeof source === 'function' ? source() : source;
    this.#branches = sinks.map((sink) => this.#branchTo(sink));
  }

  /**
   * Runs until the source ends, `signal` aborts or `stop` is called: then nothing more is pulled, what is in flight is
   * delivered, and the positions are stored. Sinks, and a source given as such, stay the caller's to dispose.
   * @throws TailraceError what ended it, with what else failed; positions stand where the sinks stand.
   * `PIPELINE_OWNED` while an earlier run has not ended
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#isRunning) throw isRunningAlready(this.#options.name);
    this.#isRunning = true;
    this.#error = null;
    try {
      await this.#run(signal);
    } finally {
      this.#isRunning = false;
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const hardStop = new AbortController();
    const stop = AbortSignal.any([signal, this.#stopped.signal]);
    let drainTimer: NodeJS.Timeout | undefined;
    const drain = (): void => {
      this.#states.next('draining');
      this.#wake();
      const timeoutMs = this.#options.drainTimeoutMs ?? defaultDrainTimeoutMs;
      drainTimer ??= setTimeout(() => {
        const isBusy = this.#branches.some(({ isDelivering }) => isDelivering);
        const { name } = this.#options;
        hardStop.abort(isBusy ? drainTimedOut(name, timeoutMs) : sourceStandsStill(name, timeoutMs));
      }, timeoutMs);
    };
    // Nothing is pulled for sinks that take nothing; how far the source gets meanwhile must be known all the same.
    const asking = setInterval(() => this.#askSource(), 1_000);
    if (stop.aborted) drain();
    else stop.addEventListener('abort', drain, { once: true });
    try {
      try {
        for (;;) {
          this.#round = new AbortController();
          if (this.#wanted === 'paused' && !stop.aborted) await this.#untilWoken();
          else if (await this.#runRound(stop, hardStop.signal, drain)) break;
        }
      } finally {
        // A source that did not end in time may not close in time either.
        await orGivenUp(this.#closeSource(), hardStop.signal, closePatienceMs);
      }
      this.#states.next('stopped');
    } catch (error) {
      this.#error = messageOf(error);
      this.#states.next('failed');
      throw error;
    } finally {
      clearTimeout(drainTimer);
      clearInterval(asking);
      stop.removeEventListener('abort', drain);
    }
  }

  async #closeSource(): Promise<void> {
    await this.#shared?.[Symbol.asyncDispose]();
    if (typeof this.#options.source === 'function') await this.#source?.[Symbol.asyncDispose]();
  }

  /** Delivers what is in flight, then holds still until `resume`. */
  pause(): void {
    if (this.#states.value === 'running') this.#states.next('draining');
    this.#wanted = 'paused';
    this.#round.abort();
  }

  /** Goes on after a pause; sinks that had failed are claimed and tried again. */
  resume(): void {
    const isWhole = this.#branches.every(({ state }) => state !== 'failed');
    this.#wanted = 'running';
    this.#wake();
    if (!isWhole) this.#round.abort();
  }

  /** Delivers what is in flight and ends `run`. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Emits at each change of state. */
  get states(): Observable<PipelineState> {
    return this.#states.asObservable();
  }

  status(): PipelineStatus {
    return statusOf({
      name: this.#options.name,
      state: this.#states.value,
      error: this.#error,
      latestSequence: this.#latestSequence,
      sourceTrouble: (this.#shared ?? this.#source)?.trouble ?? null,
      branches: this.#branches,
      clock: this.#clock,
      retention: this.#retention,
      nowMs: this.#timing.now(),
    });
  }

  /**
   * Runs all branches until they end. Returns true when that ends the run, false when another round may follow. `drain`
   * bounds how long the others may still deliver when one branch ends the run.
   */
  async #runRound(stop: AbortSignal, hardStop: AbortSignal, drain: () => void): Promise<boolean> {
    const round = this.#round;
    const signal = AbortSignal.any([stop, round.signal]);
    this.#states.next(stop.aborted ? 'draining' : 'running');
    /** The failure that ended the other branches comes first. */
    const failures: SinkFailure[] = [];
    let areEnded = false;
    const runs = this.#branches.map(async (branch) => {
      const sink = branch.lane.name;
      try {
        // Each branch gets signals of its own: Node.js takes many listeners on one for a leak, and warns.
        await branch.run(AbortSignal.any([signal]), AbortSignal.any([hardStop]));
      } catch (error) {
        this.#logFailure(branch, error);
        const isFirst = !hardStop.aborted && !areEnded && this.#endsAll(error);
        failures[isFirst ? 'unshift' : 'push']({ sink, error: hardStop.aborted ? hardStop.reason : error });
        if (!isFirst) return;
        areEnded = true;
        round.abort();
        drain();
      }
    });
    await Promise.all(runs);
    const acknowledged = hardStop.aborted ? undefined : orGivenUp(this.#acknowledge(), hardStop);
    const isOver = areEnded || stop.aborted || !round.signal.aborted;
    if (isOver && failures.length > 0) {
      await acknowledged?.catch(() => undefined); // what the sinks failed at says more
      throw failureOf(this.#options.name, failures);
    }
    await acknowledged;
    return isOver;
  }

  /** Logs the failure of one sink among several; that of a single sink is what `run` throws. */
  #logFailure({ lane }: Branch, error: unknown): void {
    if (this.#branches.length === 1) return;
    const { log, name } = this.#options;
    const reason = messageOf(error);
    // The pipeline may go on for long with the other sinks.
    const known = isTailraceError(error) ? { code: error.code, remedy: error.remedy } : {};
    log.error('a sink has failed', { pipeline: name, sink: lane.name, reason, ...known });
  }

  /** True when the failure of one sink ends them all. A sink with another owner means that the pipeline has one. */
  #endsAll(error: unknown): boolean {
    const { errors, stopsAt } = this.#options;
    return isTailraceError(error, 'SINK_FENCED') || errors?.sink === 'stop' || stopsAt?.(error) === true;
  }

  /** Names of the sinks that have failed, with what they failed at. */
  get failures(): ReadonlyMap<string, unknown> {
    return new Map(
      this.#branches.flatMap(({ error, lane }): [string, unknown][] =>
        error === undefined ? [] : [[lane.name, error]],
      ),
    );
  }

  async #untilWoken(): Promise<void> {
    this.#states.next('paused');
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #branchTo({ name, sink, transform }: PipelineSink): Branch {
    const options = this.#options;
    const { log, deadLetters, offsets, errors, onStage } = options;
    const lane = new SinkLane(sink, {
      pipeline: options.name,
      name,
      retry: { initialMs: 50, maxMs: 10_000, giveUpAfterMs: Number.POSITIVE_INFINITY, ...options.retry },
      poison: errors?.poison ?? 'fail',
      heartbeatMs: options.heartbeatMs ?? defaultHeartbeatMs,
      timing: this.#timing,
      log,
      ...(deadLetters === undefined ? {} : { deadLetters }),
      ...(offsets === undefined ? {} : { offsets }),
      ...(onStage === undefined ? {} : { onWritten: (ms) => onStage('write', name, ms) }),
    });
    const whole = compose(options.filter, transform);
    return new Branch(lane, {
      pipeline: options.name,
      source: this.#shared?.cursor() ?? requireSource(this.#source),
      startAt: options.startAt ?? 'beginning',
      undecodable: errors?.undecodable ?? 'fail',
      creditBytes: options.creditBytes ?? sink.preferredCreditBytes ?? defaultCreditBytes,
      pullLimit: {
        maxBatches: options.pullBatches ?? 250,
        maxBytes: options.pullBytes ?? 1024 * 1024,
      },
      batchLimit: { maxChanges: 5_000, maxBytes: 8 * 1024 * 1024, ...options.batch },
      timing: this.#timing,
      log,
      onPulled: (pulled) => this.#pulled(pulled),
      ...(whole === undefined ? {} : { transform: whole }),
      ...(options.makeDecoder === undefined ? {} : { makeDecoder: options.makeDecoder }),
      ...(deadLetters === undefined ? {} : { deadLetters }),
      ...(onStage === undefined ? {} : { onStage }),
    });
  }

  async #pulled(pulled: Pulled): Promise<void> {
    const now = this.#timing.now();
    this.#noteLatest(pulled.latestSequence, now);
    this.#askSource();
    if (now - this.#acknowledgedAtMs < acknowledgeIntervalMs) return;
    this.#acknowledgedAtMs = now;
    await this.#acknowledge();
  }

  #noteLatest(sequence: number, nowMs: number): void {
    this.#latestSequence = Math.max(this.#latestSequence ?? 0, sequence);
    this.#clock.note(this.#latestSequence, nowMs);
  }

  /** Asks the source now and then what it keeps. Nothing waits for the answer: it is for the status. */
  #askSource(): void {
    const now = this.#timing.now();
    if (now - this.#sourceAskedMs < askIntervalMs) return;
    this.#sourceAskedMs = now;
    void this.#askRetention();
  }

  async #askRetention(): Promise<void> {
    const source = this.#shared?.head?.session ?? this.#source;
    try {
      this.#retention = await source?.retention?.(this.#round.signal);
      const latest = this.#retention?.latestSequence;
      if (latest !== undefined) this.#noteLatest(latest, this.#timing.now());
    } catch (error) {
      const reason = messageOf(error);
      this.#options.log.debug('the source does not tell what it keeps', {
        pipeline: this.#options.name,
        reason,
      });
    }
  }

  /** Tells the source what it may forget. A sink that lags by more than its `maxLag` no longer counts. */
  async #acknowledge(): Promise<void> {
    let lowest: Position | null = null;
    for (const [at, { lane }] of this.#branches.entries()) {
      const position = lane.durablePosition;
      const lag = (this.#latestSequence ?? 0) - (position?.sequence ?? 0);
      if (lag > (this.#options.sinks[at].maxLag ?? Number.POSITIVE_INFINITY)) continue;
      if (position === null) return;
      if (lowest === null || position.sequence < lowest.sequence) lowest = position;
    }
    if (lowest !== null) await (this.#shared ?? this.#source)?.acknowledge(lowest);
  }
}

const acknowledgeIntervalMs = 1_000;
const askIntervalMs = 5_000;
const defaultCreditBytes = 4 * 1024 * 1024;
const defaultSharedBytes = 4 * 1024 * 1024;
const defaultHeartbeatMs = 1_000;
const defaultDrainTimeoutMs = 30_000;
const closePatienceMs = 1_000;

/** The pipeline's filter, then the sink's transform; undefined when there is neither. */
const compose = (
  filter: ChangePredicate | undefined,
  transform: TransactionTransform | undefined,
): TransactionTransform | undefined => {
  if (filter === undefined) return transform;
  if (transform === undefined) return (transaction) => filterTransaction(transaction, filter);
  return (transaction) => transform(filterTransaction(transaction, filter));
};

const requireSource = (source: Source | undefined): Source => {
  if (source === undefined) throw new TailraceError('INTERNAL', 'a pipeline of one sink without a source');
  return source;
};

const isRunningAlready = (pipeline: string): TailraceError =>
  new TailraceError('PIPELINE_OWNED', `pipeline ${pipeline} is running already`, {
    context: { pipeline },
    remedy: 'Wait until its run has ended: the sinks would get everything twice.',
  });

const drainTimedOut = (pipeline: string, timeoutMs: number): TailraceError =>
  new TailraceError(
    'SINK_FAILED',
    `pipeline ${pipeline} could not deliver what was in flight within ${timeoutMs} ms`,
    {
      context: { pipeline },
      remedy: 'Nothing is lost: the next start goes on where the sinks stand.',
    },
  );

const sourceStandsStill = (pipeline: string, timeoutMs: number): TailraceError =>
  new TailraceError(
    'SOURCE_UNREACHABLE',
    `the source of pipeline ${pipeline} has not answered within ${timeoutMs} ms of being told to end`,
    {
      context: { pipeline },
      remedy:
        'Nothing is lost: the next start goes on where the sinks stand. Look at what the source is waiting for.',
    },
  );
