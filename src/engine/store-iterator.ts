/**
 * The one shape of all iterators of the store: over data, over the log by batch, over the log by record.
 *
 * A new iterator already stands on its first item. `valid` says whether `item` may be read; `next` moves on;
 * `seek` goes to the first item at or behind `target`. `for … of` walks from where it stands to the end and
 * closes it. Damage throws a TailraceError with the place; an iterator never becomes invalid silently.
 *
 * Items are *borrowed*: bytes and fields are valid until the next call of `next`, `seek` or `close`.
 */
export interface StoreIterator<Item, Target> extends Iterable<Item> {
  readonly valid: boolean;
  readonly item: Item;
  next(): void;
  seek(target: Target): void;
  /** Releases what it holds; idempotent. */
  close(): void;
}
