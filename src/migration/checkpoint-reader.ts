import type { KeyPlace } from './key-place.js';
import type { KeyPart, KeyReader, PartLimit } from './key-reader.js';

/**
 * Walks over the keys as a checkpoint holds them: every part is of the same moment, and nothing of the log is needed until the
 * walk is done. The log must stand there, too. Keys that are read one by one, which happens behind the walk, are read as they
 * are by then.
 */
export class CheckpointReader implements KeyReader {
  readonly #atCheckpoint: KeyReader;
  readonly #now: KeyReader;

  /** Both are closed with it. */
  constructor(atCheckpoint: KeyReader, now: KeyReader) {
    this.#atCheckpoint = atCheckpoint;
    this.#now = now;
  }

  get readsEveryNamespace(): boolean {
    return this.#now.readsEveryNamespace;
  }

  /** Without `again`: they stay pending until the walk is done. */
  read(
    after: KeyPlace | undefined,
    _again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    return this.#atCheckpoint.read(after, [], limit, signal);
  }

  readKeys(places: readonly KeyPlace[], isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    return this.#now.readKeys(places, isExact, signal);
  }

  /** A checkpoint is durable, whatever becomes of the connection. */
  async isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    return part.walk !== undefined || (await this.#now.isSameSession(part, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#atCheckpoint[Symbol.asyncDispose]();
    await this.#now[Symbol.asyncDispose]();
  }
}
