import type { Logger, RetryOptions, Sink } from '../kit/index.js';
import type { TransactionTransform } from '../pipeline/index.js';
import type { KeyReader } from './key-reader.js';
import type { LogSource } from './log-follower.js';
import type { RateLimits } from './rate-limit.js';
import type { SourceRun } from './source-run.js';
import type { StateFile } from './state-file.js';
import type { WithoutRefused } from './target-writer.js';

/**
 * When a migration ends. `caught-up`: with everything that was written before its snapshot was done. `quiet`: when the
 * source has taken no write for `quietMs` and the target has all of them. `never`: when it is told to.
 */
export type MigrationEnd = { kind: 'caught-up' } | { kind: 'quiet'; quietMs: number } | { kind: 'never' };

/** The two ends of a migration, its state, and how it goes about. */
export interface MigrationOptions {
  /** For the state file and messages. */
  readonly source: string;
  readonly target: string;
  /** What messages call it. Default: migration. */
  readonly title?: 'migration' | 'snapshot';
  readonly log: LogSource;
  readonly keys: KeyReader;
  /** Of a server, which is not to be read twice: parts are kept until they are in the target. */
  readonly sourceRun?: SourceRun | undefined;
  readonly sink: Sink;
  readonly stateFile: StateFile;
  /** Namespaces that are copied, as changes name them; undefined = all. */
  readonly namespaces: readonly string[] | undefined;
  /** What the target sees of the changes. */
  readonly transform?: TransactionTransform | undefined;
  /** Asked once, before anything is written: the names of keys of the target that are left alone. */
  readonly prepareTarget?: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Starts over although the target or the state file hold an earlier migration. */
  readonly restarts?: boolean;
  /** Says `clear` before the first key, so that what the target holds and the source does not disappears. */
  readonly clearsTarget?: boolean;
  readonly end: MigrationEnd;
  /** False: others follow the log by the same slot, who tell the source what it may forget. Default true. */
  readonly releasesLog?: boolean | undefined;
  /** Called when every key was read and is in the target, before the log is caught up with. */
  readonly onCopied?: (signal: AbortSignal) => Promise<void>;
  /** Leaves out what cannot be copied, with a warning; otherwise it ends the migration. */
  readonly skipsUnsupported?: boolean;
  /** The same of what the target refuses; default: as `skipsUnsupported` says. */
  readonly withoutRefused?: WithoutRefused;
  /** False for a target that keeps no sequence numbers, such as a Redis: then images need not be given theirs. */
  readonly keepsNumbers?: boolean;
  readonly rates?: RateLimits;
  readonly retry?: RetryOptions;
  readonly part?: { readonly maxKeys: number; readonly maxBytes: number };
  readonly logger: Logger;
}

/**
 * How far a migration is: `snapshot` reads the keys, in `catch-up` all were read but the target is behind the log, and
 * `following` is level with it.
 */
export type MigrationPhase = 'prepare' | 'snapshot' | 'catch-up' | 'following' | 'done';

/** The figures of a migration. */
export interface MigrationStatus {
  readonly phase: MigrationPhase;
  /** Keys and bytes that the snapshot has delivered, before an interruption too. */
  readonly keys: number;
  readonly bytes: number;
  /** Parts of the walk that were read by this process. */
  readonly parts: number;
  /** Keys that changed while they were read and are to be read again. */
  readonly pendingKeys: number;
  /** Changes of the log that were delivered. */
  readonly changes: number;
  /** Keys that could not be copied, with `skipsUnsupported`. */
  readonly skippedKeys: number;
  /** The source's sequence number that the target has reached. */
  readonly sequence: number;
  /** Sequence numbers between the source's newest and the target. */
  readonly lag: number;
  /** For how long there has been something at the source that the target does not have; 0 = it has the newest. */
  readonly lagMs: number;
}

/** Until the operator ends it, with pauses that grow to seconds. */
export const patientRetry: RetryOptions = {
  initialMs: 50,
  maxMs: 5_000,
  giveUpAfterMs: Number.POSITIVE_INFINITY,
};
