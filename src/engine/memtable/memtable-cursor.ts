import { equalBytes, startsWithAt } from '../../bytes/index.js';
import type { ItemPlace, RecordTarget } from '../engine-api.js';
import type { Memtable } from './memtable.js';
import type { NodeView } from './node-reader.js';
import { OrderedPlace } from './ordered-index.js';

/**
 * Walks what a reader at one sequence sees in a memtable, deletions included. When the memtable has changed
 * (`isStale`) the cursor must be sought anew; its own key stays what it was.
 */
export class MemtableCursor {
  keyBytes: Buffer = Buffer.allocUnsafe(64);
  readonly keyStart = 0;
  keyEnd = 0;
  valid = false;
  readonly #table: Memtable;
  readonly #sequence: number;
  readonly #place = new OrderedPlace();
  #version = -1;
  /** Tombstones that hide nothing; good for as long as the memtable does not change. */
  #idle: number[] | undefined;
  /** How many there were. */
  #idlePassed = 0;
  readonly #view: NodeView = {
    keyBytes: noBytes,
    keyStart: 0,
    keyEnd: 0,
    isDeleted: false,
    valueBytes: noBytes,
    valueStart: 0,
    valueEnd: 0,
  };

  constructor(table: Memtable, sequence: number) {
    this.#table = table;
    this.#sequence = sequence;
  }

  get isDeleted(): boolean {
    return this.#view.isDeleted;
  }

  get isStale(): boolean {
    return this.#version !== this.#table.version;
  }

  seekFirst(): void {
    this.#table.seek(undefined, this.#place);
    this.#start(false);
  }

  seekLast(): void {
    this.#table.seekEnd(this.#place);
    this.#table.step(this.#place, true);
    this.#start(true);
  }

  /** To the first key that is not less. */
  seek(key: Uint8Array): void {
    this.#table.seek(key, this.#place);
    this.#start(false);
  }

  /** To the last key that is less, or, when `isInclusive`, not greater. */
  seekBefore(key: Uint8Array, isInclusive: boolean): void {
    this.#table.seek(key, this.#place);
    const node = this.#place.id;
    const isExact = isInclusive && node >= 0 && equalBytes(this.#table.reader.keyOf(node), key);
    if (!isExact) this.#table.step(this.#place, true);
    this.#start(true);
  }

  next(): void {
    this.#table.step(this.#place, false);
    this.#settle(false);
  }

  previous(): void {
    this.#table.step(this.#place, true);
    this.#settle(true);
  }

  /** Borrowed until the next write. */
  key(): Buffer {
    const { keyBytes, keyStart, keyEnd } = this.#view;
    return keyBytes.subarray(keyStart, keyEnd);
  }

  /** Borrowed until the next write. */
  value(): Buffer {
    const { valueBytes, valueStart, valueEnd } = this.#view;
    return valueBytes.subarray(valueStart, valueEnd);
  }

  /** Tells where key and value lie. Borrowed until the next write. */
  locate(place: ItemPlace): void {
    const view = this.#view;
    place.keyBytes = view.keyBytes;
    place.keyStart = view.keyStart;
    place.keyEnd = view.keyEnd;
    place.valueBytes = view.valueBytes;
    place.valueStart = view.valueStart;
    place.valueEnd = view.valueEnd;
  }

  /** What is deleted where it stands is in no older layer. */
  noteIdle(): void {
    this.#idle ??= [];
    if (mayRemoveMore(this.#idle.length, ++this.#idlePassed)) this.#idle.push(this.#place.id);
  }

  /** The node where it stands: good for as long as the memtable does not change. */
  get node(): number {
    return this.#place.id;
  }

  /** As Memtable says. */
  join(begin: Uint8Array, end: Uint8Array, tombstones: readonly number[]): void {
    const idle = this.#idle;
    this.#idle = undefined;
    this.#table.join(begin, end, tombstones);
    if (idle !== undefined) this.#table.removeIdle(idle);
  }

  /** Ends the walk: who comes next need not step over what was noted. */
  close(): void {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined && idle.length >= fewestIdle && !this.isStale) this.#table.removeIdle(idle);
  }

  /** As DataIterator says, while no older layer has such keys. False when no more is wanted. */
  copyRun(prefix: Uint8Array, target: RecordTarget): boolean {
    const table = this.#table;
    const view = this.#view;
    let isWanted = true;
    for (let node = this.#place.id; node >= 0 && isWanted; node = this.#place.id) {
      if (table.reader.readAt(node, this.#sequence, view)) {
        const { keyBytes, keyStart, keyEnd } = view;
        if (!startsWithAt(keyBytes, keyStart, keyEnd, prefix, 0)) break;
        if (view.isDeleted) this.noteIdle();
        else
          isWanted = target.record(
            keyBytes,
            keyStart + prefix.length,
            keyEnd,
            view.valueBytes,
            view.valueStart,
            view.valueEnd,
          );
      }
      table.step(this.#place, false);
    }
    this.#settle(false);
    return isWanted;
  }

  /** A walk begins here: what an earlier one noted may come again, or be gone. */
  #start(isReverse: boolean): void {
    this.#idle = undefined;
    this.#idlePassed = 0;
    this.#settle(isReverse);
  }

  /** Moves on to the first key from the place on that the reader sees. */
  #settle(isReverse: boolean): void {
    const table = this.#table;
    const view = this.#view;
    this.#version = table.version;
    this.valid = false;
    for (let node = this.#place.id; node >= 0; node = this.#place.id) {
      if (table.reader.readAt(node, this.#sequence, view)) {
        this.#keepKey();
        this.valid = true;
        return;
      }
      table.step(this.#place, isReverse);
    }
  }

  /** The key's own copy, which outlives the node. */
  #keepKey(): void {
    const { keyBytes: bytes, keyStart: start, keyEnd: end } = this.#view;
    const length = end - start;
    if (length > this.keyBytes.length) this.keyBytes = Buffer.allocUnsafe(length * 2);
    const kept = this.keyBytes;
    if (length > longestLooped) bytes.copy(kept, 0, start, end);
    else for (let i = 0; i < length; i++) kept[i] = bytes[start + i];
    this.keyEnd = length;
  }
}

/**
 * Whether a walk that stepped over so many tombstones removes one more: removing one takes about half a microsecond, some
 * times what stepping over it does. What is left is for the walks to come.
 */
export const mayRemoveMore = (removed: number, passed: number): boolean => removed < 1_024 + passed / 4;

/** Fewer are not worth that other walks have to be sought anew. */
const fewestIdle = 8;
/** Up to this length a loop is quicker than a call. */
const longestLooped = 64;
const noBytes = Buffer.alloc(0);
