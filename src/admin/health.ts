import type { PipelineStatus, SinkStatus } from '../pipeline/index.js';

/** A part that is not as it should be, and why. */
export interface DegradedPart {
  readonly pipeline: string;
  /** Absent: the pipeline as a whole. */
  readonly sink?: string;
  readonly reason: string;
}

/** Everything that is not running as it should; empty = ready. */
export const degradedParts = (pipelines: readonly PipelineStatus[]): DegradedPart[] =>
  pipelines.flatMap((pipeline) => {
    const parts: DegradedPart[] = [];
    const { name, state, error } = pipeline;
    if (state !== 'running')
      parts.push({ pipeline: name, reason: error === null ? `is ${state}` : `has failed: ${error}` });
    if (pipeline.sourceTrouble !== null) {
      const { forMs, reason } = pipeline.sourceTrouble;
      parts.push({
        pipeline: pipeline.name,
        reason: `its source has not been reached for ${Math.round(forMs / 1000)} s: ${reason}`,
      });
    }
    for (const sink of pipeline.sinks) {
      const reason = reasonOf(sink);
      if (reason !== undefined) parts.push({ pipeline: pipeline.name, sink: sink.name, reason });
    }
    return parts;
  });

const reasonOf = ({
  state,
  error,
  trouble,
  snapshotKeys,
  oldestWaiting,
  headroom,
}: SinkStatus): string | undefined => {
  if (state === 'failed') return `has failed: ${error}`;
  if (trouble !== null)
    return `is being tried again for ${Math.round(trouble.forMs / 1000)} s: ${trouble.reason}`;
  if (state === 'starting')
    return snapshotKeys === null
      ? 'has not been claimed yet'
      : `is given a snapshot: ${snapshotKeys} keys so far`;
  if (headroom !== null && ((headroom.sequences ?? 1) <= 0 || (headroom.ms ?? 1) <= 0))
    return 'is so far behind that the source no longer keeps what it needs next';
  if (oldestWaiting !== null && oldestWaiting.forMs > stuckMs)
    return `has not taken sequence number ${oldestWaiting.sequence} for ${Math.round(oldestWaiting.forMs / 1000)} s`;
  return undefined;
};

/** How long a batch may be on its way before its sink counts as stuck. */
const stuckMs = 30_000;
