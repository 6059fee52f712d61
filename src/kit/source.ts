import type { Finding } from './finding.js';
import type { Position, StartPoint } from './position.js';

/** One serialized WriteBatch of the source. The receiver owns `bytes`. */
export interface SourceBatch {
  /** Sequence number of the first counted record. */
  readonly sequence: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** How much a pull may bring. */
export interface PullLimit {
  readonly maxBatches: number;
  /** A soft limit: a single larger batch is still delivered, alone. */
  readonly maxBytes: number;
}

/** What a pull has brought. */
export interface Pulled {
  /** Whole batches, contiguous with those pulled before; may be empty when the source was idle for a while. */
  readonly batches: readonly SourceBatch[];
  /** The newest sequence number that the source knows of, for lag. */
  readonly latestSequence: number;
}

/** What a source still keeps of its history, as far as it can tell. */
export interface Retention {
  /** The oldest sequence number that can still be read. */
  readonly firstSequence?: number;
  /** How long a change is kept at least, in ms. */
  readonly keptMs?: number;
  /** The newest sequence number, as of now: told also while nothing is pulled. */
  readonly latestSequence?: number;
}

/** Why a source cannot be reached, and for how long, in ms. */
export interface SourceTrouble {
  readonly reason: string;
  readonly forMs: number;
}

/**
 * A place that changes come from. It is opened, pulled one call at a time, and disposed; opened again, it begins anew at another
 * place: after a pause, when a sink has lost what it had, or, having been disposed, in another run of its pipeline.
 *
 * What an author promises: batches are whole, in order, contiguous (`sequence[i+1] = sequence[i] + count[i]`),
 * durable at the source, and start right behind the start point; a lost connection is mended inside `pull`
 * (with backoff, until the signal aborts), and after each reconnect the history is checked against the last
 * position before anything more is delivered.
 *
 * Errors: `HISTORY_MISMATCH`, `WAL_PURGED`, `WAL_SEQUENCE_AHEAD`, `WAL_GAP`, `WAL_CORRUPT`, `SOURCE_REFUSED`,
 * `SOURCE_UNSUPPORTED` end the session.
 */
export interface Source extends AsyncDisposable {
  /**
   * Why it cannot be reached, and for how long, in ms, while a call tries again; null while all is well. Of sources that mend
   * a connection: nothing else tells those who watch that nothing comes because the source is gone.
   */
  readonly trouble?: SourceTrouble | null;
  /**
   * True when the keys in its batches carry a cluster slot, as those of a Kvrocks in cluster mode do; known once it is open.
   * Default: false.
   */
  readonly hasSlots?: boolean;
  /** Connects and checks that history continues at `start`. */
  open(start: StartPoint, signal: AbortSignal): Promise<void>;
  /**
   * The newest batch that is durable, for a pipeline that begins at the latest: its sinks are told so before the session is
   * opened behind it, and a stop before the first change forgets nothing. null when nothing was ever written; undefined
   * when it cannot be told, and the session is then opened at the latest.
   */
  newestPosition?(signal: AbortSignal): Promise<Position | null | undefined>;
  /** Waits for the next batches; null when the source has an end and it is reached. Rejects when aborted. */
  pull(limit: PullLimit, signal: AbortSignal): Promise<Pulled | null>;
  /** Everything up to `position` is durable in every sink: the source may forget it. May be repeated. */
  acknowledge(position: Position): Promise<void>;
  /** How far back history goes; on an open session. Asked now and then, for the headroom until changes are lost, and the lag. */
  retention?(signal: AbortSignal): Promise<Retention>;
  /** Looks whether the source can be read; on a session that is never opened. For `tailrace doctor`. */
  check?(signal: AbortSignal): Promise<readonly Finding[]>;
}
