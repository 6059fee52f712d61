import type { ValueType } from '../change.js';
import type { FieldLayout } from '../encoding/hash-encoding.js';
import type { StreamId } from '../encoding/stream-encoding.js';

/** What the decoder has last seen of a key with sub-keys. Strings and JSON need no memory: their records are whole. */
export interface KnownKey {
  /** undefined: the key is known to be gone */
  readonly type: ValueType | undefined;
  readonly versionHigh: number;
  readonly versionLow: number;
  readonly size: number;
  readonly expireMs: number;
  /** Lists: first position and the one behind the last; else 0. */
  readonly head: number;
  readonly tail: number;
  /** Streams: the last generated id. */
  readonly lastId: StreamId | undefined;
  /** Hashes: how its fields are stored; else plain. */
  readonly fields: FieldLayout;
}

export const absentKey: KnownKey = {
  type: undefined,
  versionHigh: 0,
  versionLow: 0,
  size: 0,
  expireMs: 0,
  head: 0,
  tail: 0,
  lastId: undefined,
  fields: 'plain',
};

/**
 * The keys seen last, bounded in bytes, in two generations: a key that is used moves to the young one, and when that has
 * grown to half of the limit, the old one is dropped. Nearly an LRU, without its cost of reordering at each look-up.
 */
export class KeyMemory {
  readonly #generationBytes: number;
  #young = new Map<string, KnownKey>();
  #old = new Map<string, KnownKey>();
  #youngBytes = 0;

  constructor(limitBytes: number) {
    this.#generationBytes = limitBytes / 2;
  }

  get isEmpty(): boolean {
    return this.#young.size === 0 && this.#old.size === 0;
  }

  get(key: string): KnownKey | undefined {
    const young = this.#young.get(key);
    if (young !== undefined || this.#old.size === 0) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, known: KnownKey): void {
    if (!this.#young.has(key)) this.#youngBytes += entryBytes + 2 * key.length;
    this.#young.set(key, known);
    if (this.#youngBytes <= this.#generationBytes) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  /** From now on nothing is known of the key. */
  forget(key: string): void {
    if (this.#young.delete(key)) this.#youngBytes -= entryBytes + 2 * key.length;
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
  }

  /** Every key that is known to exist. */
  *existing(): Generator<string> {
    for (const [key, known] of this.#young) if (known.type !== undefined) yield key;
    for (const [key, known] of this.#old) if (known.type !== undefined && !this.#young.has(key)) yield key;
  }
}

/** About what an entry takes besides its key, in bytes: the object, and its place in the map. */
const entryBytes = 160;
