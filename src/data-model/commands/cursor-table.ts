/**
 * Cursors of the SCAN family. Clients take cursors for numbers, but a walk of a sorted store goes on behind a
 * key; so the table remembers the key for each number given out. It is bounded: a client whose cursor had to go is told
 * that it is invalid, it is never led to a wrong place. First go those that their walk has left behind, however young: so
 * the walk of all keys survives any number of steps that its client makes through each hash in between.
 */
export class CursorTable {
  readonly #capacity: number;
  readonly #maxBytes: number;
  /** Nobody has asked for these yet. */
  readonly #ahead = new Map<number, Buffer>();
  /** Kept while there is room: a client may ask again, as after a lost connection. */
  readonly #behind = new Map<number, Buffer>();
  #bytes = 0;
  #last = 0;

  /** `maxBytes`: of the places that are kept; the newest is, however long. */
  constructor(capacity = 16_384, maxBytes = 64 * 1024 * 1024) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
  }

  /** A new cursor for going on behind `place`; copies it. */
  remember(place: Uint8Array): number {
    while (this.#isFull(place.length)) {
      if (!this.#dropOldest(this.#behind) && !this.#dropOldest(this.#ahead)) break;
    }
    this.#last++;
    this.#ahead.set(this.#last, Buffer.from(place));
    this.#bytes += place.length;
    return this.#last;
  }

  /** Where the cursor's walk stopped, and now goes on; undefined for a cursor that was never given out or is too old. */
  goOnFrom(cursor: number): Buffer | undefined {
    const place = this.#ahead.get(cursor);
    if (place === undefined) return this.#behind.get(cursor);
    this.#ahead.delete(cursor);
    this.#behind.set(cursor, place);
    return place;
  }

  #isFull(moreBytes: number): boolean {
    return this.#ahead.size + this.#behind.size >= this.#capacity || this.#bytes + moreBytes > this.#maxBytes;
  }

  #dropOldest(places: Map<number, Buffer>): boolean {
    for (const [cursor, place] of places) {
      this.#bytes -= place.length;
      return places.delete(cursor);
    }
    return false;
  }
}
