import { SpacePin } from './space-pin.js';

/** The pins of a space from the oldest to the newest, and those that nobody holds any more. */
export class PinChain {
  /** Released pins that are still in the chain, in the order in which they were released. */
  readonly #unheld: SpacePin[] = [];
  #newest: SpacePin | undefined;

  get newest(): SpacePin | undefined {
    return this.#newest;
  }

  /** The released pin that is to be dropped next. */
  get firstUnheld(): SpacePin | undefined {
    return this.#unheld[0];
  }

  /** Pages of the bitmap that pins keep. */
  get pageCount(): number {
    let pages = 0;
    for (let pin = this.#newest; pin !== undefined; pin = pin.older) pages += pin.pages.size;
    return pages;
  }

  /** Adds a pin of the present state. */
  add(): SpacePin {
    const pin: SpacePin = new SpacePin(this.#newest, () => this.#unheld.push(pin));
    this.#newest = pin;
    return pin;
  }

  /** Takes the first unheld pin out of the chain, once it keeps no page. */
  dropFirstUnheld(): void {
    const pin = this.#unheld.shift();
    if (pin === undefined) return;
    if (pin.older !== undefined) pin.older.newer = pin.newer;
    if (pin.newer === undefined) this.#newest = pin.older;
    else pin.newer.older = pin.older;
  }
}

/** The page as it was at a pin, borrowed; undefined when it is that of the present state. */
export const pageKeptFor = (pin: SpacePin | undefined, page: number): Int32Array | undefined => {
  for (let at = pin; at !== undefined; at = at.newer) {
    const bits = at.pages.get(page);
    if (bits !== undefined) return bits;
  }
  return undefined;
};

/** Pages that changed between a pin and a newer one, or, without that, the present state; in order. */
export const pagesChangedBetween = (from: SpacePin, to: SpacePin | undefined): number[] => {
  const pages = new Set<number>();
  for (let pin: SpacePin | undefined = from; pin !== undefined && pin !== to; pin = pin.newer)
    for (const page of pin.pages.keys()) pages.add(page);
  return [...pages].sort((a, b) => a - b);
};
