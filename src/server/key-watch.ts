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

  add(connection: Connection, namespace: string, key: Buffer): void {
    const name = nameOf(namespace, key);
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

  touch(namespace: string, keys: readonly Buffer[]): void {
    for (const key of keys)
      for (const connection of this.#watchers.get(nameOf(namespace, key)) ?? [])
        connection.isWatchBroken = true;
  }

  /** For writes that name no keys, such as FLUSHALL. */
  touchAll(): void {
    for (const watchers of this.#watchers.values())
      for (const connection of watchers) connection.isWatchBroken = true;
  }
}

const nameOf = (namespace: string, key: Buffer): string => `${namespace}\0${key.toString('latin1')}`;
