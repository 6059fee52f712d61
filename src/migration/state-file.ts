import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isTailraceError, messageOf, TailraceError } from '../errors/index.js';
import {
  describeHolder,
  inaccessible,
  nodeFiles,
  ProcessLock,
  refusePipe,
  replaceFile,
} from '../files/index.js';
import type { Position } from '../kit/index.js';
import type { CoverageState } from './coverage.js';
import { placeName, placeOfName } from './key-place.js';

/** Where a migration stands when its target is at `at`. */
export interface MigrationStep extends CoverageState {
  /** What the target's position is; null = it has none. */
  readonly at: Position | null;
  /** The last batch of the source's log that was handled; null = none ever was. */
  readonly log: Position | null;
  readonly step: number;
  /** Changes of images so far: tells those of one sequence number apart. */
  readonly imageChanges: number;
  readonly keys: number;
  readonly bytes: number;
}

export interface MigrationState {
  /** Another one for each process, so that no two of them give the same position to different steps. */
  readonly id: number;
  readonly source: string;
  readonly target: string;
  /**
   * The step that the target is known to have taken, and behind it the one that is being written: after a crash the
   * target's own position says which of the two it is.
   */
  readonly steps: readonly MigrationStep[];
}

/**
 * The state of a migration in a file, so that it goes on after any crash with what was done. Replaced as a whole, synced,
 * before each write to the target. The names of keys that are left alone, which may be many and never change, stand in a
 * file beside it, one in base64 a line, which is written before.
 *
 * The file has one owner: the process that took it last. An earlier one that still runs finds another file than it has
 * left there and saves nothing more. Each change is made under a lock that lives as long as the change does.
 */
export class StateFile {
  readonly path: string;
  /** What tells the file as this process has left it from any other; undefined = there was none. */
  #own: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** undefined when there is none. @throws TailraceError `OFFSETS_CORRUPT` | `FILE_INACCESSIBLE` */
  load(): MigrationState | undefined {
    if (!existsSync(this.path)) return undefined;
    refusePipe(this.path);
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (cause) {
      throw inaccessible(this.path, cause);
    }
    try {
      const file = JSON.parse(text) as FileForm;
      if (file.version !== version || !Array.isArray(file.steps) || file.steps.length === 0)
        throw new Error('it is no state of a migration');
      return {
        ...file,
        steps: file.steps.map((step) => ({
          ...step,
          place: step.place === null ? undefined : Buffer.from(step.place, 'base64'),
          pending: step.pending.map(decodeName),
          leftOut: step.leftOut.map(decodeName),
        })),
      };
    } catch (cause) {
      throw new TailraceError('OFFSETS_CORRUPT', `${this.path} cannot be read: ${messageOf(cause)}`, {
        context: { file: this.path },
        remedy: 'Restore it, or start over with --restart: the target is then written from the beginning.',
        cause,
      });
    }
  }

  /** Names of keys that are left alone. @throws TailraceError `FILE_INACCESSIBLE` */
  loadExcluded(): readonly string[] {
    if (!existsSync(this.#excludedPath)) return [];
    try {
      const lines = readFileSync(this.#excludedPath, 'latin1').split('\n');
      return lines.filter((line) => line !== '').map(decodeName);
    } catch (cause) {
      throw inaccessible(this.#excludedPath, cause);
    }
  }

  async saveExcluded(names: readonly string[]): Promise<void> {
    if (names.length === 0 && !existsSync(this.#excludedPath)) return;
    await this.#replace(this.#excludedPath, `${names.map(encodeName).join('\n')}\n`);
  }

  /** Makes this process the owner, whatever the file held. @throws TailraceError `STORE_LOCKED` | `FILE_INACCESSIBLE` */
  begin(state: MigrationState): Promise<void> {
    return this.#alone(() => this.#write(state));
  }

  /**
   * Makes this process the owner of what an earlier one has left, which goes on under the number `id`.
   * @throws TailraceError `HISTORY_MISMATCH` | `OFFSETS_CORRUPT` | `STORE_LOCKED` | `FILE_INACCESSIBLE`
   */
  takeOver(id: number): Promise<MigrationState> {
    return this.#alone(async () => {
      const stored = this.load();
      if (stored === undefined)
        throw new TailraceError('HISTORY_MISMATCH', `${this.path} was removed while the migration began`, {
          context: { file: this.path },
          remedy: 'Put it back, or start over with --restart.',
        });
      const state = { ...stored, id };
      await this.#write(state);
      return state;
    });
  }

  /** @throws TailraceError `SINK_FENCED` when another process has taken the file over; `STORE_LOCKED` | `FILE_INACCESSIBLE` */
  save(state: MigrationState): Promise<void> {
    return this.#alone(() => {
      this.requireOwned();
      return this.#write(state);
    });
  }

  /** @throws TailraceError `SINK_FENCED` when another process has taken the file over */
  requireOwned(): void {
    if (markOf(this.path) === this.#own) return;
    const what = existsSync(this.path) ? 'another process took over the migration of' : 'somebody removed';
    throw new TailraceError('SINK_FENCED', `${what} ${this.path}`, {
      context: { file: this.path },
      remedy: 'Let the other process go on, if there is one; this one has stopped and changes nothing more.',
    });
  }

  /** Does what no other process may do meanwhile. */
  async #alone<T>(change: () => Promise<T>): Promise<T> {
    const lock = await this.#lock();
    try {
      return await change();
    } finally {
      lock.release();
    }
  }

  async #lock(): Promise<ProcessLock> {
    const until = performance.now() + lockPatienceMs;
    for (;;) {
      try {
        return await ProcessLock.acquire(`${this.path}.lock`, (holder) => this.#busy(describeHolder(holder)));
      } catch (error) {
        if (!isTailraceError(error, 'STORE_LOCKED') || performance.now() > until) throw error;
        await delay(lockIntervalMs);
      }
    }
  }

  async #write(state: MigrationState): Promise<void> {
    const file: FileForm = {
      version,
      ...state,
      steps: state.steps.map((step) => ({
        ...step,
        place: step.place?.toString('base64') ?? null,
        pending: step.pending.map(encodeName),
        leftOut: step.leftOut.map(encodeName),
      })),
    };
    await this.#replace(this.path, `${JSON.stringify(file)}\n`);
    this.#own = markOf(this.path);
  }

  async #replace(path: string, text: string): Promise<void> {
    try {
      await replaceFile(nodeFiles, dirname(path), path, Buffer.from(text));
    } catch (cause) {
      throw inaccessible(path, cause);
    }
  }

  #busy(holder: string): TailraceError {
    return new TailraceError('STORE_LOCKED', `${this.path} is being written by ${holder}`, {
      context: { file: this.path },
      remedy: 'If that process was stopped, let it go on, or end it.',
    });
  }

  get #excludedPath(): string {
    return `${this.path}.excluded`;
  }
}

const version = 1;

/** How long another process may take for one change of the file. */
const lockPatienceMs = 30_000;
const lockIntervalMs = 5;

/** Every replacement makes another file, at another time. */
const markOf = (path: string): string | undefined => {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file && `${file.ino}:${file.mtimeNs}`;
};

/** As it stands in the file: bytes in base64. */
interface FileForm extends Omit<MigrationState, 'steps'> {
  readonly version: number;
  readonly steps: readonly (Omit<MigrationStep, 'place'> & { readonly place: string | null })[];
}

const encodeName = (name: string): string => placeOfName(name).toString('base64');
const decodeName = (text: string): string => placeName(Buffer.from(text, 'base64'));
