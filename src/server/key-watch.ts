import type { WrittenKeys } from '../data-model/index.js';
import type { ClientTransaction } from './client-transaction.js';

/** Who watches which keys. A touched key makes the EXEC of its watchers fail. */
export class KeyWatch {
  readonly #watchers = new Map<string, Set<ClientTransaction>>();
  /** What each of them watches, so that letting go costs what it watches, however much the others do. */
  readonly #namesOf = new Map<ClientTransaction, Set<string>>();

  /** Most of the time nobody watches anything. */
  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  /** `name`: as `keyName` names the key. */
  add(watcher: ClientTransaction, name: string): void {
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) this.#watchers.set(name, new Set([watcher]));
    else watchers.add(watcher);
    const names = this.#namesOf.get(watcher);
    if (names === undefined) this.#namesOf.set(watcher, new Set([name]));
    else names.add(name);
  }

  remove(watcher: ClientTransaction): void {
    for (const name of this.#namesOf.get(watcher) ?? []) {
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
      for (const [name, watchers] of this.#watchers)
        if (name >= begin && name < end) for (const watcher of watchers) watcher.isWatchBroken = true;
  }
}
