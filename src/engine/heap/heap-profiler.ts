import { realpathSync, statSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join, relative, resolve, sep } from 'node:path';
import process from 'node:process';
import { TailraceError } from '../../errors/index.js';
import { makeDirectory } from '../../files/index.js';
import { type HeapSummary, type MemoryOwners, type SampledProfile, summarise } from './heap-summary.js';

/** Files that a dump has written. */
export interface HeapDump {
  /** A `.heapprofile`, which Chrome's developer tools open. */
  readonly profile: string;
  /** The same stem, `.json`: a `HeapSummary`. */
  readonly summary: string;
}

/** How finely the heap is sampled, and where its dumps may go. */
export interface HeapProfilerOptions {
  /** Mean distance between samples, in allocated bytes; default 512 KiB, as jemalloc has it. */
  readonly samplingBytes?: number;
  /** Dumps are written here or in directories below, and nowhere else. Made when it is missing. */
  readonly root: string;
}

/**
 * Samples what the JavaScript heap is used for, by V8's sampling heap profiler. One profiler serves a process. Off, it
 * costs nothing; on, an allocation in `samplingBytes` is recorded with its stack (bench `heap-profiler`).
 *
 * Buffers and typed arrays lie outside the JavaScript heap: their owners account for them, and a dump's summary lists
 * both.
 */
export class HeapProfiler implements Disposable {
  readonly samplingBytes: number;
  readonly root: string;
  #session: Session | undefined;
  #startedAtMs = 0;
  #dumps = 0;
  /** What was found between the last enable and disable. */
  #last: SampledProfile | undefined;

  constructor(options: HeapProfilerOptions) {
    this.samplingBytes = options.samplingBytes ?? defaultSamplingBytes;
    this.root = resolve(options.root);
  }

  /** False in a Node.js that was built without the inspector. */
  static get isSupported(): boolean {
    return process.features.inspector;
  }

  get isActive(): boolean {
    return this.#session !== undefined;
  }

  /** When sampling began, in ms since 1970; undefined while it is off. */
  get activeSinceMs(): number | undefined {
    return this.isActive ? this.#startedAtMs : undefined;
  }

  /** Begins a new profile. Does nothing when sampling is on already. @throws TailraceError `HEAP_PROFILER_FAILED` */
  enable(): void {
    if (this.#session !== undefined) return;
    if (!HeapProfiler.isSupported) throw failed('this Node.js was built without the inspector');
    const session = new Session();
    session.connect();
    try {
      // With an inspector's session of this very thread, callbacks run before `post` returns.
      session.post('HeapProfiler.startSampling', { samplingInterval: this.samplingBytes }, rethrow);
    } catch (error) {
      session.disconnect();
      throw error;
    }
    this.#session = session;
    this.#startedAtMs = Date.now();
  }

  /** Ends the profile; it can be dumped until the next one begins. Does nothing when sampling is off. */
  disable(): void {
    if (this.#session === undefined) return;
    this.#session.post('HeapProfiler.stopSampling', (error, { profile }) => {
      rethrow(error);
      this.#last = profile;
    });
    this.#session.disconnect();
    this.#session = undefined;
  }

  /**
   * Writes the profile and its summary into a directory, and goes on sampling. Collects garbage first, so that the
   * profile shows what is in use: a pause that grows with the heap.
   * @param directory an existing directory, absolute or relative to `root`; links are followed before it is judged
   * @throws TailraceError `HEAP_PROFILER_FAILED` when nothing was sampled, or the directory cannot be used
   */
  dump(directory: string, owners: MemoryOwners): HeapDump {
    const profile = this.#profile();
    if (profile === undefined) throw failed('there is no profile yet: sampling was never switched on');
    const place = this.#placeFor(directory);
    const stem = `jeprof-${process.pid}-${new Date().toISOString().replace(/[:.]/g, '')}-${++this.#dumps}`;
    const dump = { profile: join(place, `${stem}.heapprofile`), summary: join(place, `${stem}.json`) };
    const summary: HeapSummary = summarise(profile, {
      samplingBytes: this.samplingBytes,
      startedAtMs: this.#startedAtMs,
      isActive: this.isActive,
      owners,
    });
    try {
      writeFileSync(dump.profile, JSON.stringify(profile), { flag: 'wx', mode: 0o600 });
      writeFileSync(dump.summary, `${JSON.stringify(summary, undefined, 2)}\n`, { flag: 'wx', mode: 0o600 });
    } catch (cause) {
      throw failed(`cannot write into ${place}: ${String(cause)}`, cause);
    }
    return dump;
  }

  [Symbol.dispose](): void {
    this.disable();
  }

  #profile(): SampledProfile | undefined {
    if (this.#session === undefined) return this.#last;
    let found: SampledProfile | undefined;
    this.#session.post('HeapProfiler.getSamplingProfile', (error, { profile }) => {
      rethrow(error);
      found = profile;
    });
    return found;
  }

  #placeFor(directory: string): string {
    let root: string;
    let place: string;
    try {
      makeDirectory(this.root);
      root = realpathSync(this.root);
      place = realpathSync(resolve(root, directory));
      if (!statSync(place).isDirectory()) throw new Error('not a directory');
    } catch (cause) {
      throw failed(`${directory} is no directory that can be used`, cause);
    }
    const way = relative(root, place);
    if (way === '..' || way.startsWith(`..${sep}`))
      throw failed(`${directory} is outside of ${root}, where dumps belong`);
    return place;
  }
}

const defaultSamplingBytes = 512 * 1024;

const rethrow = (error: Error | null): void => {
  if (error !== null) throw failed(`the inspector said: ${error.message}`, error);
};

const failed = (reason: string, cause?: unknown): TailraceError =>
  new TailraceError('HEAP_PROFILER_FAILED', reason, {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'Switch sampling on first, and name an existing directory inside the one allowed for dumps.',
  });
