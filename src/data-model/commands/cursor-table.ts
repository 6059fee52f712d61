/**
 * Cursors of the SCAN family. Clients take cursors for numbers, but a walk of a sorted store goes on behind a
 * key; so the table remembers the key for each number given out. It holds the latest `capacity` cursors: a
 * client that pauses longer than that many calls of others is told that its cursor is invalid, it is never
 * led to a wrong place.
 */
export class CursorTable {
  readonly #capacity: number;
  readonly #places = new Map<number, Buffer>();
  #last = 0;

  constructor(capacity = 16_384) {
    this.#capacity = capacity;
  }

  /** A new cursor for going on behind `place`; copies it. */
  remember(place: Uint8Array): number {
    this.#last++;
    this.#places.set(this.#last, Buffer.from(place));
    if (this.#places.size > this.#capacity) this.#places.delete(this.#last - this.#capacity);
    return this.#last;
  }

  /** Where the cursor's walk stopped; undefined for a cursor that was never given out or is too old. */
  placeOf(cursor: number): Buffer | undefined {
    return this.#places.get(cursor);
  }
}
