import type { Guarantee, Position, Retention, SequenceClock, SourceTrouble } from '../kit/index.js';
import type { Branch, BranchState } from './branch.js';
import type { SinkErrorKind } from './sink-lane.js';

/** Where a pipeline is in its life: `draining` lets what is under way come to its end, and reads no more. */
export type PipelineState = 'starting' | 'running' | 'paused' | 'draining' | 'stopped' | 'failed';

/** Where a sink is in its life: `retrying` while what was to be written to it is tried again. */
export type SinkState = BranchState | 'retrying';

/** Figures of one sink of a pipeline, since the start. */
export interface SinkStatus {
  readonly name: string;
  readonly state: SinkState;
  /** What ended it, while `state` is `failed`. */
  readonly error: string | null;
  /** Why a claim or a write is being tried again, and for how long that goes on, in ms; null while all is well. */
  readonly trouble: { readonly reason: string; readonly forMs: number } | null;
  readonly guarantee: Guarantee;
  /** Keys that a snapshot before its changes has given it so far; null without one. */
  readonly snapshotKeys: number | null;
  /** What the sink holds. */
  readonly position: Position | null;
  /** Sequence numbers between the source's newest and what was handled for this sink; null until both have told. */
  readonly lag: number | null;
  /**
   * For how long something has been waiting at the source, in ms; from before the start it counts from the start.
   * null with `lag`.
   */
  readonly lagMs: number | null;
  readonly pulledBatches: number;
  readonly pulledBytes: number;
  readonly changes: number;
  readonly filteredChanges: number;
  /** Changes that could not be decoded and were skipped or dead-lettered. */
  readonly undecodableChanges: number;
  readonly writtenChanges: number;
  readonly writtenBytes: number;
  readonly writes: number;
  readonly rejectedChanges: number;
  readonly retries: number;
  readonly errors: Readonly<Record<SinkErrorKind, number>>;
  readonly creditBytesInUse: number;
  /** The oldest batch between the source and the sink, and for how long, in ms; null when there is none. */
  readonly oldestWaiting: { readonly sequence: number; readonly forMs: number } | null;
  /** What the source may still forget before this sink loses changes; null as far as the source cannot tell. */
  readonly headroom: { readonly sequences: number | null; readonly ms: number | null } | null;
}

/** Figures of a pipeline, since the start. Sums are over its sinks. */
export interface PipelineStatus {
  readonly name: string;
  readonly state: PipelineState;
  /** What ended it as a whole, while `state` is `failed`. */
  readonly error: string | null;
  readonly pulledBatches: number;
  readonly pulledBytes: number;
  /** Changes that passed filters and routes: a change counts once for each sink. */
  readonly changes: number;
  readonly filteredChanges: number;
  readonly undecodableChanges: number;
  /** The newest sequence number that the source is known to have; null until it has told. */
  readonly latestSequence: number | null;
  /** Why the source cannot be reached, and for how long, in ms: `lag` is then as of before. null while all is well. */
  readonly sourceTrouble: SourceTrouble | null;
  readonly creditBytesInUse: number;
  readonly sinks: readonly SinkStatus[];
}

export const statusOf = (running: {
  readonly name: string;
  readonly state: PipelineState;
  readonly error: string | null;
  readonly latestSequence: number | null;
  readonly sourceTrouble: SourceTrouble | null;
  readonly branches: readonly Branch[];
  readonly clock: SequenceClock;
  readonly retention: Retention | undefined;
  readonly nowMs: number;
}): PipelineStatus => {
  const { name, state, error, latestSequence, sourceTrouble, branches } = running;
  const sum = (figure: (branch: Branch) => number): number =>
    branches.reduce((total, branch) => total + figure(branch), 0);
  return {
    name,
    state,
    error,
    pulledBatches: sum((branch) => branch.pulledBatches),
    pulledBytes: sum((branch) => branch.pulledBytes),
    changes: sum((branch) => branch.changes),
    filteredChanges: sum((branch) => branch.filteredChanges),
    undecodableChanges: sum((branch) => branch.undecodableChanges),
    latestSequence,
    sourceTrouble: state === 'running' || state === 'draining' ? sourceTrouble : null,
    creditBytesInUse: sum((branch) => branch.creditBytesInUse),
    sinks: branches.map((branch) => sinkStatusOf(branch, running)),
  };
};

const sinkStatusOf = (
  branch: Branch,
  { latestSequence, clock, retention, nowMs }: Parameters<typeof statusOf>[0],
): SinkStatus => {
  const { lane, oldestWaiting, reached } = branch;
  const trouble = branch.state === 'starting' || branch.state === 'running' ? lane.trouble : null;
  // What a sink holds that was not claimed yet is not known: 0 would look like a sink that has everything.
  const isKnown = reached !== null && latestSequence !== null;
  const lagMs = isKnown ? Math.round(clock.lagMs(reached, nowMs)) : null;
  return {
    name: lane.name,
    state: trouble !== null && branch.state === 'running' ? 'retrying' : branch.state,
    error: branch.error?.message ?? null,
    trouble: trouble && { reason: trouble.reason, forMs: Math.round(nowMs - trouble.sinceMs) },
    guarantee: lane.sink.guarantee,
    snapshotKeys: null,
    position: lane.position,
    lag: isKnown ? Math.max(0, latestSequence - reached) : null,
    lagMs,
    pulledBatches: branch.pulledBatches,
    pulledBytes: branch.pulledBytes,
    changes: branch.changes,
    filteredChanges: branch.filteredChanges,
    undecodableChanges: branch.undecodableChanges,
    writtenChanges: lane.writtenChanges,
    writtenBytes: lane.writtenBytes,
    writes: lane.writtenBatches,
    rejectedChanges: lane.rejectedChanges,
    retries: lane.retries,
    errors: lane.errors,
    creditBytesInUse: branch.creditBytesInUse,
    oldestWaiting: oldestWaiting && {
      sequence: oldestWaiting.sequence,
      forMs: Math.round(nowMs - oldestWaiting.sinceMs),
    },
    headroom:
      retention === undefined || reached === null || lagMs === null
        ? null
        : headroomOf(retention, reached, lagMs),
  };
};

const headroomOf = (
  { firstSequence, keptMs }: Retention,
  reached: number,
  lagMs: number,
): { sequences: number | null; ms: number | null } => ({
  // The next batch begins at `reached + 1` at the earliest; 0 would mean that it is gone.
  sequences: firstSequence === undefined ? null : reached + 2 - firstSequence,
  ms: keptMs === undefined ? null : keptMs - lagMs,
});
