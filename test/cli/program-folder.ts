import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { program } from '../support/tailrace-program.js';

/** A new folder for each test around, and the processes of tailrace that run there, which end with the test. */
export class ProgramFolder {
  #directory: ReturnType<typeof throwAwayDirectory> | undefined;
  readonly #children: ChildProcess[] = [];

  constructor(name: string) {
    beforeEach(() => {
      this.#directory = throwAwayDirectory(name);
    });
    afterEach(async () => {
      for (const child of this.#children.splice(0)) {
        const exited = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exited;
      }
      this.#directory?.remove();
    });
  }

  readonly path = (name: string): string => join(this.#directory?.path ?? '', name);

  readonly write = (name: string, text: string): string => {
    writeFileSync(this.path(name), text);
    return this.path(name);
  };

  /** Starts a command of tailrace in the folder. */
  readonly start = (...words: readonly string[]): { child: ChildProcess; log: () => string } => {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: this.#directory?.path,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    child.stdout.resume();
    this.#children.push(child);
    return { child, log: () => log };
  };

  /** A store with `count` strings `k0`, `k1` … */
  readonly fillStore = async (name: string, count: number): Promise<void> => {
    await using engine = await Engine.open(this.path(name));
    for (let i = 0; i < count; i++)
      engine.commit(
        new WriteBatchBuilder()
          .put(1, Buffer.from(`\x0b__namespacek${i}`), Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1'))
          .finish(),
      );
    await engine.whenDurable(engine.sequence);
  };

  /** The keys of the events in a file. */
  readonly keysIn = (file: string): string[] =>
    existsSync(this.path(file))
      ? readFileSync(this.path(file), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => (JSON.parse(line) as { key: string }).key)
      : [];
}

/** When all that it said is there, too. */
export const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('close', (code) => resolve(code)));
