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
  signalBytes,
  type TakeKind,
  type ToMergeThread,
} from './merge-messages.js';
import { ChangePacker } from './packed-changes.js';

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

interface Job {
  readonly request: MergeRequest;
  readonly packers: readonly ChangePacker[];
  /** What went wrong in this thread. */
  error: unknown;
  /** True once the merge thread has asked for something. */
  isBegun: boolean;
  resolve(result: MergeResult | undefined): void;
  reject(error: unknown): void;
}

/**
 * A thread that merges, as the main thread sees it. It gets the changes packed, and units to write to; what it makes
 * it writes by itself. The main thread keeps the space, and only ever works for it in short pieces: a chunk of
 * changes, a few runs of units. It does not keep the process alive unless a merge is under way.
 */
export class MergeThread {
  readonly #worker: Worker;
  readonly #signal = new Int32Array(new SharedArrayBuffer(signalBytes));
  #job: Job | undefined;
  #hasEnded = false;
  #fault: unknown;

  private constructor() {
    // None of this process's own arguments: some are refused for threads.
    this.#worker = new Worker(code, { workerData: this.#signal.buffer, execArgv: [], resourceLimits });
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
      this.#job = { request, packers, error: undefined, isBegun: false, resolve, reject };
      this.#worker.ref();
      this.#send({ kind: 'merge', file, epoch, roots, ranges: changes.map(({ ranges }) => ranges) });
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
    try {
      this.#answer(job, message);
    } catch (error) {
      job.error ??= error;
      this.#send({ kind: 'refused', error: sentError(error) });
    }
  }

  #answer(job: Job, message: FromMergeThread): void {
    const { request, packers } = job;
    switch (message.kind) {
      case 'next': {
        const packer = packers[message.columnFamily];
        const chunk = packer.isAtEnd ? undefined : packer.next(chunkBytes);
        this.#send({ kind: 'changes', chunk }, chunk === undefined ? [] : [chunk.buffer]);
        break;
      }
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
    Atomics.add(this.#signal, 0, 1);
    Atomics.notify(this.#signal, 0);
  }
}

const takeRuns = (units: UnitSupply, as: TakeKind, wanted: number): readonly Run[] => {
  if (as === 'run') return [units.take(wanted)];
  if (as === 'spread') return units.takeSpread(wanted);
  return units.takeRuns(wanted, unitsAtOnce);
};

const code = new URL('./merge-worker.js', import.meta.url);
/** Packed in a quarter of a millisecond; several may be asked for in one turn. */
const chunkBytes = 64 * 1024;
/** Pages that are made in some ten milliseconds: each question waits for a turn of the main thread. */
const unitsAtOnce = 4096;
/** What a merge leaves to the garbage collector is gone at once; what it keeps is outside of the heap. */
const resourceLimits = { maxYoungGenerationSizeMb: 16 };
