import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Run } from '../../space/index.js';
import type { Changes } from '../changes.js';
import type { DataFileHandle } from '../data-file.js';
import type { TreeRoot } from '../superblock.js';
import type { UnitSupply } from '../unit-supply.js';
import {
  type FromMergeThread,
  receivedError,
  sentError,
  type TakeKind,
  type ToMergeThread,
} from './merge-messages.js';
import { ChangePacker } from './packed-changes.js';
import { SharedMemory } from './shared-memory.js';

/** A merge as the main thread gives it away. */
export interface MergeRequest {
  readonly file: DataFileHandle;
  readonly epoch: number;
  readonly roots: readonly TreeRoot[];
  /** By column family. */
  readonly changes: readonly Changes[];
  readonly units: UnitSupply;
  /** Called for each run before it is written to. */
  onTaken(run: Run): void;
}

export interface MergeResult {
  readonly roots: readonly TreeRoot[];
  readonly bytesWritten: number;
}

/** A question for changes. */
type Next = Extract<FromMergeThread, { kind: 'next' }>;

interface Job {
  readonly request: MergeRequest;
  readonly packers: readonly ChangePacker[];
  /** What went wrong in this thread. */
  error: unknown;
  /** True once the merge thread has asked for something. */
  isBegun: boolean;
  /** Changes that were asked for and not packed yet. */
  readonly asked: Next[];
  resolve(result: MergeResult | undefined): void;
  reject(error: unknown): void;
}

/**
 * A thread that merges, as the main thread sees it. It gets the changes packed, and units to write to; what it makes
 * it writes by itself. The main thread keeps the space, and only ever works for it in short pieces: some chunks of
 * changes in a turn of the loop, a few runs of units. It does not keep the process alive unless a merge is under way.
 */
export class MergeThread {
  readonly #worker: Worker;
  readonly #memory = new SharedMemory();
  #job: Job | undefined;
  #hasEnded = false;
  #fault: unknown;

  private constructor() {
    // None of this process's own arguments: some are refused for threads.
    this.#worker = new Worker(code, { workerData: this.#memory.handle, execArgv: [], resourceLimits });
    this.#worker.unref();
    this.#worker.on('message', (message: FromMergeThread) => this.#onMessage(message));
    this.#worker.on('error', (error) => {
      this.#fault = error;
    });
    this.#worker.on('exit', () => this.#onExit());
  }

  /** Undefined where there can be none: its code is not compiled or not there, or threads are not allowed. */
  static start(): MergeThread | undefined {
    if (!existsSync(code)) return undefined;
    try {
      return new MergeThread();
    } catch {
      return undefined;
    }
  }

  /** Merges; undefined when the thread could not begin, and nothing has been done. */
  merge(request: MergeRequest): Promise<MergeResult | undefined> {
    const { file, epoch, roots, changes } = request;
    if (this.#hasEnded) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const packers = changes.map((of) => new ChangePacker(of));
      this.#job = { request, packers, error: undefined, isBegun: false, asked: [], resolve, reject };
      this.#worker.ref();
      const families = changes.map(({ ranges, valid }) => ({ ranges, hasChanges: valid }));
      this.#send({ kind: 'merge', file, epoch, roots, families });
    });
  }

  /** Ends the thread, which must not be merging. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #onMessage(message: FromMergeThread): void {
    const job = this.#job;
    if (job === undefined) return;
    job.isBegun = true;
    this.#orRefuse(job, () => this.#answer(job, message));
  }

  #orRefuse(job: Job, work: () => void): void {
    try {
      work();
    } catch (error) {
      job.error ??= error;
      this.#send({ kind: 'refused', error: sentError(error) });
    }
  }

  #answer(job: Job, message: FromMergeThread): void {
    const { request } = job;
    switch (message.kind) {
      case 'next':
        job.asked.push(message);
        if (job.asked.length === 1) setImmediate(() => this.#packSome(job));
        break;
      case 'take': {
        const runs = takeRuns(request.units, message.as, message.units);
        for (const run of runs) request.onTaken(run);
        this.#send({ kind: 'units', runs });
        break;
      }
      case 'released':
        for (let i = 0; i < message.runs.length; i += 2)
          request.units.release(message.runs[i], message.runs[i + 1]);
        break;
      case 'merged':
        this.#settle();
        if (job.error === undefined) job.resolve(message);
        else job.reject(job.error);
        break;
      case 'failed':
        this.#settle();
        job.reject(job.error ?? receivedError(message.error));
        break;
    }
  }

  /**
   * Packs what was asked for, but not for long in one turn of the loop: the other thread asks on while this one packs, and
   * whoever writes meanwhile waits.
   */
  #packSome(job: Job): void {
    if (this.#job !== job) return;
    const deadline = performance.now() + packedMs;
    do {
      const asked = job.asked.shift();
      if (asked !== undefined)
        this.#orRefuse(job, () => this.#pack(job.packers[asked.columnFamily], asked.slot));
    } while (job.asked.length > 0 && performance.now() < deadline);
    if (job.asked.length > 0) setImmediate(() => this.#packSome(job));
  }

  #pack(packer: ChangePacker, slot: number): void {
    const byteLength = packer.packInto(this.#memory.slots[slot]);
    if (byteLength > 0 || packer.isAtEnd) {
      this.#send({ kind: 'changes', slot, chunk: byteLength });
    } else {
      const chunk = packer.packOne();
      this.#send({ kind: 'changes', slot, chunk }, [chunk.buffer]);
    }
  }

  #onExit(): void {
    const job = this.#job;
    this.#hasEnded = true;
    this.#job = undefined;
    if (job === undefined) return;
    if (job.isBegun) job.reject(job.error ?? this.#fault ?? new Error('the thread that merges has ended'));
    else job.resolve(undefined);
  }

  #settle(): void {
    this.#job = undefined;
    this.#worker.unref();
  }

  #send(message: ToMergeThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
    Atomics.add(this.#memory.signal, 0, 1);
    Atomics.notify(this.#memory.signal, 0);
  }
}

const takeRuns = (units: UnitSupply, as: TakeKind, wanted: number): readonly Run[] => {
  if (as === 'run') return [units.take(wanted)];
  if (as === 'spread') return units.takeSpread(wanted);
  return units.takeRuns(wanted, unitsAtOnce);
};

const code = new URL('./merge-worker.js', import.meta.url);
/** How long changes are packed in a turn of the loop, about. */
const packedMs = 1;
/** Pages that are made in some ten milliseconds: each question waits for a turn of the main thread. */
const unitsAtOnce = 4096;
/** What a merge leaves to the garbage collector is gone at once; what it keeps is outside of the heap. */
const resourceLimits = { maxYoungGenerationSizeMb: 16 };
