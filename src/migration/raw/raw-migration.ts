import type { Transaction } from '../../data-model/index.js';
import type { Position } from '../../kit/index.js';
import { FinishLine } from '../finish-line.js';
import { KeptParts } from '../kept-parts.js';
import { LogFollower } from '../log-follower.js';
import {
  type MigrationOptions,
  type MigrationPhase,
  type MigrationStatus,
  patientRetry,
} from '../migration-options.js';
import type { KeptPart } from '../part-files.js';
import { RateLimit } from '../rate-limit.js';
import { ReadAhead } from '../read-ahead.js';
import type { MigrationStep } from '../state-file.js';
import { StepWriter } from '../step-writer.js';
import { whileUnreachable } from '../while-unreachable.js';
import type { RecordFilter } from './record-filter.js';
import type { RecordPart, RecordSource } from './record-source.js';

/** As of a migration by keys, with where records are read and which of them the target is to have. */
export interface RawMigrationOptions extends MigrationOptions {
  readonly records: RecordSource;
  readonly filter: RecordFilter;
  /** True where the target was written before, so that elements of another state may stand under the keys. */
  readonly purges: boolean;
}

/**
 * Copies a store to another of the same format: records as they are, so that every type and encoding is kept. The log is
 * noted, all records are walked over while they change, and then the log is replayed from there on, whole.
 *
 * Why the target ends up the same: each record says all about its own key, whatever stands beside it. A record that
 * changed since the log was noted is in the log, whose last word on it comes last; one that did not was read as it is.
 * Until the log has come to the end of the walk, the target is of no one moment.
 */
export class RawMigration {
  readonly #options: RawMigrationOptions;
  readonly #steps: StepWriter;
  readonly #rate: RateLimit;
  readonly #kept: KeptParts | undefined;
  readonly #finish: FinishLine;
  #follower: LogFollower | undefined;
  #phase: MigrationPhase = 'prepare';
  #parts = 0;
  #changes = 0;
  readonly #ahead = new ReadAhead<RecordPart>();

  constructor(options: RawMigrationOptions) {
    this.#options = options;
    this.#steps = new StepWriter(options);
    this.#rate = new RateLimit(options.rates ?? { keysPerSecond: 0, bytesPerSecond: 0 });
    this.#kept = KeptParts.of(options, 'records');
    this.#finish = new FinishLine(options.end);
  }

  /**
   * Runs to its end, or until `signal` aborts: then what is being written is finished first.
   * @throws TailraceError what ended it; run again, it goes on
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#ahead.run(signal, async (during) => {
      const { log } = await this.#prepare(during);
      // Before the walk, so that the source keeps its log from here on.
      const follower = await LogFollower.open(this.#options.log, log, during, {
        readBatch: takeWhole,
        releasesLog: this.#options.releasesLog,
      });
      this.#follower = follower;
      try {
        // Of a source that nothing was ever written to, the log alone is all.
        if (log !== null) await this.#walk(log, follower, during);
        await this.#follow(follower, during);
      } finally {
        await this.#steps.whenWritten();
      }
      this.#phase = 'done';
    });
  }

  /** Where the target stands; null = nothing was ever written. */
  get position(): Position | null {
    return this.#steps.current.at;
  }

  get status(): MigrationStatus {
    const { keys, bytes, log } = this.#steps.current;
    const sequence = log?.sequence ?? 0;
    const lag = Math.max(0, (this.#follower?.latestSequence ?? 0) - sequence);
    return {
      phase: this.#phase,
      keys,
      bytes,
      parts: this.#parts,
      pendingKeys: 0,
      changes: this.#changes,
      skippedKeys: 0,
      sequence,
      lag,
      lagMs: this.#follower?.lagMs(sequence) ?? 0,
    };
  }

  /** Claims the target, and finds the step where it stands. */
  async #prepare(signal: AbortSignal): Promise<MigrationStep> {
    const { source, target, title = 'migration', logger, clearsTarget, filter } = this.#options;
    const { isNew } = await this.#steps.start(signal);
    const { current } = this.#steps;
    this.#kept?.start(!isNew && !current.isComplete);
    logger.info(`${title} ${isNew ? 'started' : 'goes on'}`, {
      source,
      target,
      sequence: current.log?.sequence ?? 0,
      ...(isNew ? {} : { copiedKeys: current.keys }),
    });
    if (clearsTarget === true && current.step === 0)
      this.#steps.collectBatch(takeWhole(Buffer.from(filter.clear().bytes), 0, 0), 0);
    return current;
  }

  async #walk(start: Position, follower: LogFollower, signal: AbortSignal): Promise<void> {
    const { records, filter, purges, logger, source } = this.#options;
    while (!this.#steps.given.isComplete) {
      signal.throwIfAborted();
      this.#phase = 'snapshot';
      const { place } = this.#steps.given;
      const part = await (this.#ahead.take() ?? this.#read(place, signal));
      if (part.isDurable !== true && !(await records.whenDurable(part, signal))) {
        logger.warn('the source was restarted, reading a part again', { source });
        continue;
      }
      // The next part is read while this one is written.
      if (part.next !== undefined) this.#ahead.give(this.#read(part.next, signal));
      const { bytes, keys, count } = filter.keep(part.batch, purges);
      if (count > 0) this.#steps.collectBatch(takeWhole(Buffer.from(bytes), start.sequence, 0), 0);
      await this.#rate.spend(keys, part.batch.length, signal);
      const coverage = { place: part.next, isComplete: part.next === undefined, pending: [], leftOut: [] };
      await this.#steps.write(coverage, start, { transactions: [], keys, byteLength: bytes.length }, signal);
      await follower.acknowledge(start);
      if (part.next !== undefined) continue;
      await this.#steps.whenWritten();
      this.#kept?.clear();
      await this.#options.onCopied?.(signal);
    }
  }

  async #read(after: Buffer | undefined, signal: AbortSignal): Promise<RecordPart> {
    const { records, logger, retry = patientRetry } = this.#options;
    const maxBytes = Math.min(partBytes, this.#rate.maxBytes);
    return await whileUnreachable(retry, logger, signal, async () => {
      // The log is replayed from where it stood before the walk, whenever a part of that was read.
      const kept = await this.#kept?.take(after, 0, signal);
      if (kept !== undefined) return unpacked(kept);
      const part = await records.readRecords(after, maxBytes, signal);
      this.#parts++;
      const { sequence, next, batch } = part;
      await this.#kept?.keep(
        { after, low: sequence, high: sequence, facts: next, records: batch },
        false,
        signal,
      );
      return part;
    });
  }

  async #follow(follower: LogFollower, signal: AbortSignal): Promise<void> {
    const { filter } = this.#options;
    this.#phase = 'catch-up';
    await this.#steps.whenWritten();
    while (!(await this.#finish.isReached(follower, signal))) {
      signal.throwIfAborted();
      await follower.pull(signal);
      const taken = follower.take(Number.POSITIVE_INFINITY, stepBytes);
      if (taken.length === 0) {
        await this.#steps.requireHeld(signal);
        this.#showPhase(follower);
        continue;
      }
      this.#finish.moved();
      for (const transaction of taken) {
        const { bytes, count } = filter.keep(transaction.bytes);
        this.#changes += count;
        if (count === 0) continue;
        const kept = takeWhole(Buffer.from(bytes), transaction.first, transaction.count);
        this.#steps.collectBatch(kept, transaction.bytes.length);
      }
      await this.#steps.write(complete, follower.position, noRecords, signal);
      await this.#steps.whenWritten();
      await follower.acknowledge(follower.position);
      this.#showPhase(follower);
    }
    await this.#steps.seal(complete, follower.position, signal);
  }

  #showPhase(follower: LogFollower): void {
    if (follower.isLevelAt(this.status.sequence)) this.#phase = 'following';
  }
}

/** A part that an earlier process has read. */
const unpacked = ({ facts, high, records }: KeptPart): RecordPart => ({
  sequence: high,
  next: facts instanceof Uint8Array ? Buffer.from(facts) : undefined,
  batch: Buffer.from(records),
  isDurable: true,
  session: -1,
});

/** A batch that nobody looks into. */
const takeWhole = (bytes: Buffer, sequence: number, count: number): Transaction => ({
  first: sequence,
  last: sequence + count - 1,
  count,
  bytes,
  changes: [],
  undecodable: [],
});

const complete = { place: undefined, isComplete: true, pending: [], leftOut: [] };
const noRecords = { transactions: [], keys: 0, byteLength: 0 };
const partBytes = 1024 * 1024;
const stepBytes = 1024 * 1024;
