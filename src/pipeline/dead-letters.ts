import { mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Transaction } from '../kit/index.js';

/** A change that could not be delivered, or not be decoded. */
export interface DeadLetter {
  readonly pipeline: string;
  /** Name of the sink that refused it; absent when it could not be decoded. */
  readonly sink?: string;
  readonly sequence: number;
  readonly code: string;
  readonly reason: string;
  readonly transaction: Transaction;
}

/** Where undeliverable changes go. When `add` resolves they are durable, and the pipeline moves on. */
export interface DeadLetterTarget extends AsyncDisposable {
  add(letters: readonly DeadLetter[]): Promise<void>;
}

/** Dead letters as lines of JSON, each with the error and the whole batch (base64), so that it can be replayed. */
export class FileDeadLetters implements DeadLetterTarget {
  readonly #path: string;
  #file: FileHandle | undefined;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  async add(letters: readonly DeadLetter[]): Promise<void> {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.#path), { recursive: true });
      this.#file = await open(this.#path, 'a', 0o640);
    }
    const lines = letters.map(({ transaction, ...letter }) =>
      JSON.stringify({
        ...letter,
        first: transaction.first,
        last: transaction.last,
        batch: transaction.bytes.toString('base64'),
        at: new Date().toISOString(),
      }),
    );
    await this.#file.appendFile(lines.map((line) => `${line}\n`).join(''));
    await this.#file.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}
