/**
 * Holds one past state of a space: none of the units that were in use when it was taken is handed out again before
 * it is released. Counted: everyone who reads at that state retains it, and the last to release lets it go.
 *
 * A pin starts empty. Before a page of the bitmap changes for the first time after the pin was taken, the page as it
 * was moves into the newest pin; a page that a pin lacks is the one of the next newer pin, and behind the newest
 * pin, that of the present. Pins stand in a chain from the oldest to the newest.
 */
export class SpacePin {
  /** Pages of units in use at this state, where they differ from the next newer state's; 1 = in use. */
  readonly pages = new Map<number, Int32Array>();
  older: SpacePin | undefined;
  newer: SpacePin | undefined;
  #holders = 1;
  readonly #onUnheld: () => void;

  constructor(older: SpacePin | undefined, onUnheld: () => void) {
    this.older = older;
    if (older !== undefined) older.newer = this;
    this.#onUnheld = onUnheld;
  }

  get isHeld(): boolean {
    return this.#holders > 0;
  }

  /** One more holder; returns the pin. Only a held pin can be retained. */
  retain(): this {
    if (this.#holders === 0) throw new RangeError('a released pin cannot be retained');
    this.#holders++;
    return this;
  }

  /** One holder less. What the last one held becomes free by `VersionedSpace.reclaim`. */
  release(): void {
    if (this.#holders === 0) throw new RangeError('the pin is released already');
    if (--this.#holders === 0) this.#onUnheld();
  }
}
