import type { Change, Undecodable } from '../change.js';

/**
 * The changes of one batch as they are found, each at its index. One collector serves batch after batch; it makes
 * nothing for a batch but the lists that the batch needs, for most batches are one change.
 */
export class ChangeCollector {
  #changes: Change[] | undefined;
  #undecodable: Undecodable[] | undefined;

  /** The index of the change that is added next. */
  get next(): number {
    return this.#changes === undefined ? 0 : this.#changes.length;
  }

  add(change: Change): void {
    // A list that is made with its first element takes no room for more.
    if (this.#changes === undefined) this.#changes = [change];
    else this.#changes.push(change);
  }

  /** Takes back every change from `index` on: a group of records yields all of its changes or none. */
  takeBack(index: number): void {
    if (this.#changes !== undefined) this.#changes.length = index;
  }

  fail(
    code: Undecodable['code'],
    reason: string,
    seq: number,
    ns: string | undefined,
    key: Uint8Array | undefined,
  ): void {
    this.#undecodable ??= [];
    this.#undecodable.push({ seq, code, reason, ns, key });
  }

  /** Forgets what an earlier batch left when it could not be read to its end. */
  clear(): void {
    this.#changes = undefined;
    this.#undecodable = undefined;
  }

  /** Hands over what was found, and is ready for the next batch. */
  take(): { changes: readonly Change[]; undecodable: readonly Undecodable[] } {
    const taken = { changes: this.#changes ?? none, undecodable: this.#undecodable ?? none };
    this.clear();
    return taken;
  }
}

const none: readonly never[] = [];
