import type { Transaction } from '../data-model/index.js';
import type { Finding } from './finding.js';
import type { Position } from './position.js';

/**
 * `exactly-once`: data and position commit together. `effectively-once`: a replay leaves the same final state.
 * `at-least-once`: changes may be delivered again after a crash.
 */
export type Guarantee = 'exactly-once' | 'effectively-once' | 'at-least-once';

/** Whole transactions in order, written as one unit. */
export interface SinkBatch {
  readonly transactions: readonly Transaction[];
  /** The position that holds once this batch is durable. */
  readonly position: Position;
  /** The position that must hold before it; null = nothing was ever written. */
  readonly previous: Position | null;
  /** Size of the source bytes, for limits and metrics. */
  readonly byteLength: number;
}

/** What a claim found in the target: the truth to resume from, whatever any other store says. */
export interface Claim {
  /** Strictly larger than any earlier claim's: writes of earlier claims are refused from now on. */
  readonly epoch: number;
  /** null = the target has never been written by this pipeline, or the sink cannot hold a position. */
  readonly position: Position | null;
}

/**
 * A change that the target refuses for good: transaction and change index within the sink batch, and why. A sink that
 * takes whole batches refuses the transaction as a whole; the change is then 0.
 */
export interface Rejection {
  readonly transaction: number;
  readonly change: number;
  readonly reason: string;
}

/**
 * The result of a write. Expected outcomes are values; an exception is a defect of the sink.
 * - `durable`: data and position are safe.
 * - `accepted`: applied in order, safe when `durable` resolves; the next write may start before. When it rejects (the
 *   connection was lost) only a new claim knows.
 * - `retryable`: nothing was applied; the same write may be tried again (after `afterMs` if given).
 * - `poison`: nothing was applied; these changes will never be taken, the rest would be.
 * - `fenced`: another process claimed the sink; nothing was applied.
 * - `unknown`: the connection was lost during the commit; claim again and read the truth before any retry.
 * - `fatal`: an operator must act.
 */
export type WriteOutcome =
  | { readonly kind: 'durable' }
  | { readonly kind: 'accepted'; readonly durable: Promise<void> }
  | { readonly kind: 'retryable'; readonly error: Error; readonly afterMs?: number }
  | { readonly kind: 'poison'; readonly rejections: readonly Rejection[] }
  | { readonly kind: 'fenced'; readonly error: Error }
  | { readonly kind: 'unknown'; readonly error: Error }
  | { readonly kind: 'fatal'; readonly error: Error };

/**
 * A place that changes go to. Life: `claim` → `write` … → dispose. One write at a time; each is conditional on
 * the epoch of the claim and on `batch.previous`, so that a process that was paused while another took over
 * changes nothing when it wakes.
 */
export interface Sink extends AsyncDisposable {
  readonly guarantee: Guarantee;
  /** True when the target itself holds the position (`Claim.position` is the truth); else an offsets store does. */
  readonly holdsPosition: boolean;
  /**
   * True when the sink writes the batches of the log as they are (`Transaction.bytes`), not their changes: filters and
   * transforms would have no effect, so a pipeline that has any is refused.
   */
  readonly takesWholeBatches?: boolean;
  /**
   * True when the target would take the slots in keys (`Source.hasSlots`) for parts of them: of sinks that take whole batches. A
   * pipeline from such a source is refused.
   */
  readonly refusesSlots?: boolean;
  /**
   * Memory for changes on their way to this sink, in bytes, where the pipeline file does not say (4 MiB without this);
   * a write takes half of it at most. Larger writes pay where each costs the target much, smaller ones are kinder to
   * the garbage collector.
   */
  readonly preferredCreditBytes?: number;
  /**
   * Set by one of those that also applies batches which are of no log: the records of a snapshot, put under their keys as
   * they stand. `ownKey` is the key of the default namespace where it keeps its position, which no record may replace.
   */
  readonly takesRecords?: { readonly ownKey: string };
  /**
   * Connects, fences every earlier claimant of this pipeline and reads the position. Called again after
   * `unknown` or a lost connection: then, if another process has claimed since this one did, it is refused and takes
   * nothing away from that one.
   * @throws TailraceError `SINK_UNREACHABLE` (may be retried) | `SINK_FENCED` | `SINK_REFUSED` | `SINK_FAILED`
   */
  claim(signal: AbortSignal): Promise<Claim>;
  write(batch: SinkBatch, claim: Claim, signal: AbortSignal): Promise<WriteOutcome>;
  /**
   * Told, while a write is under way or before the next one may begin, what that one will bring, so that the target need not
   * wait for it: a sink may send as much of it as takes no effect by itself. Usually `write` follows with the same
   * array of transactions; when something else is written, the outcome was not what one hoped for, or nothing follows,
   * the sink drops it again.
   */
  prepare?(transactions: readonly Transaction[]): void;
  /**
   * The position that the target holds, read without claiming it, so that whoever runs the pipeline is not disturbed. Of
   * sinks that hold their position; for `tailrace offsets`.
   * @throws what `claim` throws
   */
  readPosition?(signal: AbortSignal): Promise<Position | null>;
  /**
   * Puts another position into the target in place of what the claim found, and leaves the data as it is; null: as if
   * nothing had ever been written. Nothing is written by this sink afterwards. For `tailrace offsets set` and `reset`.
   * @throws TailraceError `SINK_FENCED` when another process has claimed meanwhile; what `claim` throws
   */
  setPosition?(position: Position | null, claim: Claim, signal: AbortSignal): Promise<void>;
  /**
   * Looks whether the target can be reached and would take what is written: version, permissions, settings. Changes
   * nothing and fences nobody. For `tailrace doctor`; on a sink that is never claimed.
   */
  check?(signal: AbortSignal): Promise<readonly Finding[]>;
}
