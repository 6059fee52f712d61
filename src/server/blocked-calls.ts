import type { WrittenKeys } from '../data-model/index.js';

/** A call that found nothing and waits for one of its keys. */
export interface BlockedCall {
  /** The keys, as `keyName` names them. */
  readonly names: readonly string[];
  /**
   * Calls of one kind want the same of a key: when one of them goes away empty, so would the others. Undefined for
   * calls whose wishes differ, such as those for entries behind an id.
   */
  readonly kind: string | undefined;
  /** Tries again now that a key, one of `names`, was written; true when the call was answered and waits no more. */
  retry(name: string): boolean;
}

/**
 * Who waits for which key, in the order of their coming. What a command writes makes keys ready; after the command
 * `serve` gives each ready key's callers their turn, first come first served. Serving may write (BLMOVE) and so make
 * further keys ready, which are served in turn.
 */
export class BlockedCalls {
  readonly #byName = new Map<string, Set<BlockedCall>>();
  readonly #ready = new Set<string>();
  #isServing = false;

  /** Most of the time nobody waits. */
  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  add(call: BlockedCall): void {
    for (const name of call.names) {
      const calls = this.#byName.get(name);
      if (calls === undefined) this.#byName.set(name, new Set([call]));
      else calls.add(call);
    }
  }

  remove(call: BlockedCall): void {
    for (const name of call.names) {
      const calls = this.#byName.get(name);
      calls?.delete(call);
      if (calls?.size === 0) this.#byName.delete(name);
    }
  }

  touch({ names, ranges }: WrittenKeys): void {
    for (const name of names) if (this.#byName.has(name)) this.#ready.add(name);
    for (const { begin, end } of ranges)
      for (const name of this.#byName.keys()) if (name >= begin && name < end) this.#ready.add(name);
  }

  serve(): void {
    if (this.#isServing || this.#ready.size === 0) return;
    this.#isServing = true;
    try {
      for (const name of this.#ready) {
        this.#ready.delete(name); // what makes it ready again comes back at the end
        this.#serveKey(name);
      }
    } finally {
      this.#isServing = false;
    }
  }

  #serveKey(name: string): void {
    const emptyHanded = new Set<string>();
    for (const call of [...(this.#byName.get(name) ?? [])]) {
      if (call.kind !== undefined && emptyHanded.has(call.kind)) continue;
      if (call.retry(name)) this.remove(call);
      else if (call.kind !== undefined) emptyHanded.add(call.kind);
    }
  }
}
