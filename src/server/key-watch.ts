import type { WrittenKeys } from '../data-model/index.js';
import type { ClientTransaction } from './client-transaction.js';

/** Who watches which keys. A touched key makes the EXEC of its watchers fail. */
export class KeyWatch {
  readonly #watchers = new Map<string, Set<ClientTransaction>>();
  /**
   * What each of them watches, and whether there was such a key: so that letting go costs what it watches, however much
   * the others do.
   */
  readonly #namesOf = new Map<ClientTransaction, Map<string, boolean>>();

  /** Most of the time nobody watches anything. */
  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  /** `name`: as `keyName` names the key. `exists`: that a range is deleted changes nothing of a key that is not there. */
  add(watcher: ClientTransaction, name: string, exists: boolean): void {
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) this.#watchers.set(name, new Set([watcher]));
    else watchers.add(watcher);
    const names = this.#namesOf.get(watcher);
    if (names === undefined) this.#namesOf.set(watcher, new Map([[name, exists]]));
    else if (!names.has(name)) names.set(name, exists);
  }

  remove(watcher: ClientTransaction): void {
    for (const name of this.#namesOf.get(watcher)?.keys() ?? []) {
      const watchers = this.#watchers.get(name);
      watchers?.delete(watcher);
      if (watchers?.size === 0) this.#watchers.delete(name);
    }
    this.#namesOf.delete(watcher);
  }

  touch({ names, ranges }: WrittenKeys): void {
    for (const name of names)
      for (const watcher of this.#watchers.get(name) ?? []) watcher.isWatchBroken = true;
    for (const { begin, end } of ranges)
      for (const [watcher, names] of this.#namesOf)
        for (const [name, exists] of names)
          if (exists && name >= begin && name < end) watcher.isWatchBroken = true;
  }
}
