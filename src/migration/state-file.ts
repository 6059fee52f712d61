import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { TailraceError } from '../errors/index.js';
import { inaccessible, nodeFiles, type Position, replaceFile } from '../kit/index.js';
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
 */
export class StateFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** undefined when there is none. @throws TailraceError `OFFSETS_CORRUPT` | `FILE_INACCESSIBLE` */
  load(): MigrationState | undefined {
    if (!existsSync(this.path)) return undefined;
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
      throw new TailraceError(
        'OFFSETS_CORRUPT',
        `${this.path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        {
          context: { file: this.path },
          remedy: 'Restore it, or start over with --restart: the target is then written from the beginning.',
          cause,
        },
      );
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

  async save(state: MigrationState): Promise<void> {
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
  }

  async #replace(path: string, text: string): Promise<void> {
    try {
      await replaceFile(nodeFiles, dirname(path), path, Buffer.from(text));
    } catch (cause) {
      throw inaccessible(path, cause);
    }
  }

  get #excludedPath(): string {
    return `${this.path}.excluded`;
  }
}

const version = 1;

/** As it stands in the file: bytes in base64. */
interface FileForm extends Omit<MigrationState, 'steps'> {
  readonly version: number;
  readonly steps: readonly (Omit<MigrationStep, 'place'> & { readonly place: string | null })[];
}

const encodeName = (name: string): string => placeOfName(name).toString('base64');
const decodeName = (text: string): string => placeName(Buffer.from(text, 'base64'));
