import type { AdministeredPipeline } from '../admin/index.js';
import { messageOf } from '../kit/index.js';
import type { Lease, OffsetsStore, Pipeline, PipelineState, PipelineStatus } from '../pipeline/index.js';
import {
  type Given,
  needsSnapshot,
  type SnapshotRun,
  snapshotMode,
  takeSnapshots,
  takeSnapshotsAgain,
} from './run-snapshots.js';

/**
 * A pipeline with what a file has done around its run: becoming its only owner, and the snapshots of what the source
 * holds. Its state is that of the whole, so that it neither seems to fail while a new snapshot mends it, nor to start for
 * ever when it has failed or ended before its own run; and a stop ends what is around it too.
 */
export class WholeRun implements AdministeredPipeline {
  readonly #pipeline: Pipeline;
  readonly #snapshots: SnapshotRun;
  readonly #offsets: OffsetsStore | undefined;
  readonly #stopped = new AbortController();
  readonly #given = new Map<string, Given>();
  /** Undefined within the pipeline's own run, which has states of its own. */
  #around: PipelineState | undefined = 'starting';
  #error: string | null = null;

  constructor(pipeline: Pipeline, snapshots: Omit<SnapshotRun, 'given'>) {
    this.#pipeline = pipeline;
    this.#snapshots = { ...snapshots, given: this.#given };
    this.#offsets = snapshots.offsets;
  }

  /** Runs it as its only owner. @throws TailraceError `PIPELINE_OWNED`, and what `Pipeline.run` throws */
  async run(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.#stopped.signal]);
    this.#error = null;
    try {
      if (this.#offsets === undefined) await this.#runWithSnapshots(stop);
      else await this.#runOwned(this.#offsets, stop);
      this.#around = 'stopped';
    } catch (error) {
      this.#error = messageOf(error);
      this.#around = 'failed';
      throw error;
    }
  }

  status(): PipelineStatus {
    const status = this.#pipeline.status();
    const sinks = status.sinks.map((sink) => {
      const given = this.#given.get(sink.name);
      if (given === undefined) return sink;
      return { ...sink, snapshotKeys: given.keys, position: sink.position ?? given.position };
    });
    if (this.#around === undefined) return { ...status, sinks };
    return { ...status, sinks, state: this.#around, error: this.#error };
  }

  pause(): void {
    this.#pipeline.pause();
  }

  resume(): void {
    this.#pipeline.resume();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #runOwned(offsets: OffsetsStore, signal: AbortSignal): Promise<void> {
    let lease: Lease;
    try {
      lease = await offsets.own(this.#snapshots.config.name, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    try {
      await this.#runWithSnapshots(AbortSignal.any([signal, lease.lost]));
      lease.lost.throwIfAborted();
    } finally {
      await lease.release().catch(() => undefined); // it runs out by itself
    }
  }

  /** Runs the pipeline, before it (and with `when-needed` again) a snapshot of what the source holds. */
  async #runWithSnapshots(signal: AbortSignal): Promise<void> {
    const { config, log } = this.#snapshots;
    const mode = snapshotMode(config);
    if (mode === 'never') return await this.#runPipeline(signal);
    try {
      await takeSnapshots(this.#snapshots, signal);
      if (mode === 'only') return;
      for (;;) {
        try {
          return await this.#runPipeline(signal);
        } catch (error) {
          if (mode !== 'when-needed' || signal.aborted || !needsSnapshot(error)) throw error;
          log.warn('taking a new snapshot', { pipeline: config.name, reason: messageOf(error) });
          const failed = [...this.#pipeline.failures].flatMap(([name, failure]) =>
            needsSnapshot(failure) ? [name] : [],
          );
          await takeSnapshotsAgain(this.#snapshots, failed, signal);
        }
      }
    } catch (error) {
      // Told to stop in the middle of a snapshot: it goes on at the next start.
      if (!signal.aborted || error !== signal.reason) throw error;
    }
  }

  async #runPipeline(signal: AbortSignal): Promise<void> {
    this.#around = undefined;
    try {
      await this.#pipeline.run(signal);
    } finally {
      this.#around = 'starting';
    }
  }
}
