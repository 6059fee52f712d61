import { type Changes, changesPerMark, type KeyRange } from '../tree/index.js';
import { DeletedRanges } from './deleted-ranges.js';
import type { MemtableChanges } from './memtable-changes.js';

/**
 * The changes of a memtable and of an older one as one: of a key that both have, the newer one's; of what the newer one
 * has deleted by ranges, nothing. Merged together they make each page of a tree anew once, not twice.
 */
export class JoinedChanges implements Changes {
  keyBytes: Uint8Array = noBytes;
  keyStart = 0;
  keyEnd = 0;
  isDeleted = false;
  valueBytes: Uint8Array = noBytes;
  valueStart = 0;
  valueEnd = 0;
  valid = true;
  readonly ranges: readonly KeyRange[];
  readonly #newer: MemtableChanges;
  readonly #older: Changes;
  readonly #newerRanges = new DeletedRanges();
  /** Marks of both for the last places that were marked. */
  readonly #marks: { readonly newer: number; readonly older: number }[] = [];
  #marked = 0;
  /** < 0: the change at hand is the newer one's; > 0: the older one's; 0: both have the key. */
  #order = 0;

  constructor(newer: MemtableChanges, older: Changes) {
    this.#newer = newer;
    this.#older = older;
    const all = new DeletedRanges();
    for (const { begin, end } of older.ranges) all.add(begin, end, 0, false);
    for (const { begin, end } of newer.ranges) {
      all.add(begin, end, 0, false);
      this.#newerRanges.add(begin, end, 0, false);
    }
    this.ranges = all.joined();
    this.#read();
  }

  next(): void {
    const order = this.#order;
    if (order <= 0) this.#newer.next();
    if (order >= 0) this.#older.next();
    this.#read();
  }

  mark(): number {
    this.#marks[this.#marked % changesPerMark] = { newer: this.#newer.mark(), older: this.#older.mark() };
    return this.#marked++;
  }

  reset(mark: number): void {
    const { newer, older } = this.#marks[mark % changesPerMark];
    this.#newer.reset(newer);
    this.#older.reset(older);
    this.#read();
  }

  #read(): void {
    const newer = this.#newer;
    const older = this.#older;
    const ranges = this.#newerRanges;
    if (!ranges.isEmpty)
      while (older.valid && ranges.at(older.keyBytes, older.keyStart, older.keyEnd, 0) !== undefined)
        older.next();
    this.valid = newer.valid || older.valid;
    if (!this.valid) return;
    this.#order = !older.valid ? -1 : !newer.valid ? 1 : compareKeys(newer, older);
    const from = this.#order <= 0 ? newer : older;
    this.keyBytes = from.keyBytes;
    this.keyStart = from.keyStart;
    this.keyEnd = from.keyEnd;
    this.isDeleted = from.isDeleted;
    this.valueBytes = from.valueBytes;
    this.valueStart = from.valueStart;
    this.valueEnd = from.valueEnd;
  }
}

const compareKeys = (a: Changes, b: Changes): number => {
  const { keyBytes, keyStart, keyEnd } = a;
  const { keyBytes: otherBytes, keyStart: otherStart, keyEnd: otherEnd } = b;
  const shared = Math.min(keyEnd - keyStart, otherEnd - otherStart);
  for (let i = 0; i < shared; i++) {
    const difference = keyBytes[keyStart + i] - otherBytes[otherStart + i];
    if (difference !== 0) return difference;
  }
  return keyEnd - keyStart - (otherEnd - otherStart);
};

const noBytes = new Uint8Array(0);
