import type { WrittenKeys } from '../data-model/index.js';
import type { Connection } from './connection.js';

/** Which connections WATCH which keys. A touched key makes the EXEC of its watchers fail. */
export class KeyWatch {
  readonly #watchers = new Map<string, Set<Connection>>();
  /** What each connection watches, so that letting go costs what it watches, however much the others do. */
  readonly #namesOf = new Map<Connection, Set<string>>();

  /** Most of the time nobody watches anything. */
  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  /** `name`: as `keyName` names the key. */
  add(connection: Connection, name: string): void {
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) this.#watchers.set(name, new Set([connection]));
    else watchers.add(connection);
    const names = this.#namesOf.get(connection);
    if (names === undefined) this.#namesOf.set(connection, new Set([name]));
    else names.add(name);
  }

  remove(connection: Connection): void {
    for (const name of this.#namesOf.get(connection) ?? []) {
      const watchers = this.#watchers.get(name);
      watchers?.delete(connection);
      if (watchers?.size === 0) this.#watchers.delete(name);
    }
    this.#namesOf.delete(connection);
  }

  touch({ names, ranges }: WrittenKeys): void {
    for (const name of names)
      for (const connection of this.#watchers.get(name) ?? []) connection.isWatchBroken = true;
    for (const { begin, end } of ranges)
      for (const [name, watchers] of this.#watchers)
        if (name >= begin && name < end) for (const connection of watchers) connection.isWatchBroken = true;
  }
}
