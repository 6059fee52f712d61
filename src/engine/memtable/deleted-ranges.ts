import { compareBytes } from '../../bytes/index.js';

/** A range of keys whose data in older layers is deleted, for readers at `sequence` and later. */
export interface DeletedRange {
  readonly begin: Buffer;
  /** exclusive */
  readonly end: Buffer;
  /** When its keys were first deleted. */
  readonly sequence: number;
}

/**
 * The deleted ranges of one memtable, apart from each other and in order. For a key only its first deletion counts:
 * what the memtable was given since is not in older layers. So ranges that overlap are parted, each piece with the
 * sequence of its first deletion, and joined again where no snapshot can tell the pieces apart.
 */
export class DeletedRanges {
  #ranges: DeletedRange[] = [];

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** Deletes from `begin` up to, not including, `end`. `keepsPieces` = a snapshot is open. */
  add(begin: Uint8Array, end: Uint8Array, sequence: number, keepsPieces: boolean): void {
    if (compareBytes(begin, end) >= 0) return;
    const first = this.#firstEndingAtOrBehind(begin);
    let last = first;
    while (last < this.#ranges.length && compareBytes(this.#ranges[last].begin, end) <= 0) last++;
    const touched = this.#ranges.slice(first, last);
    const added = keepsPieces
      ? [...touched, ...gapsOf(touched, begin, end, sequence)].sort((a, b) => compareBytes(a.begin, b.begin))
      : [unionOf(touched, begin, end, sequence)];
    this.#ranges.splice(first, last - first, ...added);
  }

  /** The range that a reader at `sequence` finds a key deleted by. */
  at(bytes: Uint8Array, start: number, end: number, sequence: number): DeletedRange | undefined {
    if (this.#ranges.length === 0) return undefined;
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareWithin(this.#ranges[middle].end, bytes, start, end) <= 0) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low];
    if (range === undefined || compareWithin(range.begin, bytes, start, end) > 0) return undefined;
    return range.sequence <= sequence ? range : undefined;
  }

  /** The range that a reader at `sequence` finds all deleted by that is right below a key. */
  below(key: Uint8Array, sequence: number): DeletedRange | undefined {
    const range = this.#ranges[this.#firstEndingAtOrBehind(key)];
    if (range === undefined || compareBytes(range.begin, key) >= 0) return undefined;
    return range.sequence <= sequence ? range : undefined;
  }

  /** True when a range has a key from `begin` up to, not including, `end`; absent = from the first, past the last. */
  touches(begin: Uint8Array | undefined, end: Uint8Array | undefined): boolean {
    if (this.#ranges.length === 0) return false;
    let at = begin === undefined ? 0 : this.#firstEndingAtOrBehind(begin);
    if (begin !== undefined && at < this.#ranges.length && compareBytes(this.#ranges[at].end, begin) === 0)
      at++;
    return at < this.#ranges.length && (end === undefined || compareBytes(this.#ranges[at].begin, end) < 0);
  }

  /** All ranges, pieces that adjoin joined. */
  joined(): DeletedRange[] {
    const joined: DeletedRange[] = [];
    for (const range of this.#ranges) {
      const previous = joined.at(-1);
      if (previous !== undefined && compareBytes(previous.end, range.begin) === 0)
        joined[joined.length - 1] = { ...previous, end: range.end };
      else joined.push(range);
    }
    return joined;
  }

  #firstEndingAtOrBehind(key: Uint8Array): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#ranges[middle].end, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const unionOf = (
  touched: readonly DeletedRange[],
  begin: Uint8Array,
  end: Uint8Array,
  sequence: number,
): DeletedRange => {
  const first = touched[0]?.begin ?? begin;
  const last = touched.at(-1)?.end ?? end;
  return {
    begin: Buffer.from(compareBytes(first, begin) < 0 ? first : begin),
    end: Buffer.from(compareBytes(last, end) > 0 ? last : end),
    sequence,
  };
};

/** What of the range none of the touched ones covers. */
const gapsOf = (
  touched: readonly DeletedRange[],
  begin: Uint8Array,
  end: Uint8Array,
  sequence: number,
): DeletedRange[] => {
  const gaps: DeletedRange[] = [];
  let from = begin;
  for (const range of touched) {
    if (compareBytes(from, range.begin) < 0)
      gaps.push({ begin: Buffer.from(from), end: range.begin, sequence });
    if (compareBytes(from, range.end) < 0) from = range.end;
  }
  if (compareBytes(from, end) < 0) gaps.push({ begin: Buffer.from(from), end: Buffer.from(end), sequence });
  return gaps;
};

const compareWithin = (a: Uint8Array, bytes: Uint8Array, start: number, end: number): number => {
  const shared = Math.min(a.length, end - start);
  for (let i = 0; i < shared; i++) {
    const difference = a[i] - bytes[start + i];
    if (difference !== 0) return difference;
  }
  return a.length - (end - start);
};
