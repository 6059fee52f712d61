import { matchesGlob } from '../../bytes/index.js';
import type { Connection } from '../connection.js';

/** What a client can subscribe to: channels by name, channels by pattern, and shard channels. */
export type SubscriptionKind = 'channel' | 'pattern' | 'shard';

/** The words of each kind's messages. */
const wordsOf = {
  channel: { message: 'message', subscribe: 'subscribe', unsubscribe: 'unsubscribe' },
  pattern: { message: 'pmessage', subscribe: 'psubscribe', unsubscribe: 'punsubscribe' },
  shard: { message: 'smessage', subscribe: 'ssubscribe', unsubscribe: 'sunsubscribe' },
} as const;

/** Who listens to one name. */
interface Listeners {
  readonly namespace: string;
  readonly name: Buffer;
  readonly connections: Set<Connection>;
}

/**
 * Who subscribes to what, each namespace by itself. A message goes to the subscribers of its channel, then to those of
 * the patterns that match it, in the order in which they subscribed. A subscriber that does not read is closed.
 */
export class PubSub {
  readonly #listeners: Readonly<Record<SubscriptionKind, Map<string, Listeners>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };
  readonly #namesOf = new Map<Connection, Record<SubscriptionKind, Map<string, Buffer>>>();

  subscribe(connection: Connection, kind: SubscriptionKind, name: Buffer): void {
    const key = keyOf(connection.namespace, name);
    const owned = Buffer.from(name);
    const names = this.#namesOf.get(connection) ?? {
      channel: new Map(),
      pattern: new Map(),
      shard: new Map(),
    };
    this.#namesOf.set(connection, names);
    names[kind].set(key, owned);
    const listeners = this.#listeners[kind].get(key);
    if (listeners !== undefined) listeners.connections.add(connection);
    else {
      const { namespace } = connection;
      this.#listeners[kind].set(key, { namespace, name: owned, connections: new Set([connection]) });
    }
    this.#confirm(connection, wordsOf[kind].subscribe, name, kind);
  }

  /** `names` empty: from all of the kind. Each is confirmed, none at all with a null. */
  unsubscribe(connection: Connection, kind: SubscriptionKind, names: readonly Buffer[]): void {
    const leaving = names.length > 0 ? names : [...(this.#namesOf.get(connection)?.[kind].values() ?? [])];
    for (const name of leaving) {
      this.#leave(connection, kind, name);
      this.#confirm(connection, wordsOf[kind].unsubscribe, name, kind);
    }
    if (leaving.length === 0) this.#confirm(connection, wordsOf[kind].unsubscribe, undefined, kind);
  }

  /** Forgets a client, without a word. */
  remove(connection: Connection): void {
    const names = this.#namesOf.get(connection);
    if (names === undefined) return;
    for (const kind of kinds)
      for (const name of [...names[kind].values()]) this.#leave(connection, kind, name);
    this.#namesOf.delete(connection);
  }

  /** How many subscriptions of a kind a client has. */
  countOf(connection: Connection, kind: SubscriptionKind): number {
    return this.#namesOf.get(connection)?.[kind].size ?? 0;
  }

  /** Most of the time nobody subscribes. */
  get isEmpty(): boolean {
    return this.#namesOf.size === 0;
  }

  isSubscriber(connection: Connection): boolean {
    if (this.isEmpty) return false; // asked before each command
    return kinds.some((kind) => this.countOf(connection, kind) > 0);
  }

  /** Who gets a message, in order; one client several times if it subscribed so. */
  receivers(namespace: string, kind: 'channel' | 'shard', channel: Buffer): Delivery[] {
    const deliveries: Delivery[] = [];
    for (const connection of this.#listeners[kind].get(keyOf(namespace, channel))?.connections ?? [])
      deliveries.push({ connection, word: wordsOf[kind].message, names: [channel] });
    if (kind === 'shard') return deliveries;
    for (const { namespace: of, name, connections } of this.#listeners.pattern.values()) {
      if (of !== namespace || !matchesGlob(name, channel)) continue;
      for (const connection of connections)
        deliveries.push({ connection, word: wordsOf.pattern.message, names: [name, channel] });
    }
    return deliveries;
  }

  /** The channels of a namespace that somebody listens to. */
  channels(namespace: string, kind: 'channel' | 'shard', pattern?: Buffer): Buffer[] {
    return [...this.#listeners[kind].values()]
      .filter(
        ({ namespace: of, name }) =>
          of === namespace && (pattern === undefined || matchesGlob(pattern, name)),
      )
      .map(({ name }) => name);
  }

  subscribers(namespace: string, kind: 'channel' | 'shard', channel: Buffer): number {
    return this.#listeners[kind].get(keyOf(namespace, channel))?.connections.size ?? 0;
  }

  /** How many names are listened to, in all namespaces. */
  count(kind: SubscriptionKind): number {
    return this.#listeners[kind].size;
  }

  /** How many patterns there are in a namespace. */
  patterns(namespace: string): number {
    return [...this.#listeners.pattern.values()].filter((listeners) => listeners.namespace === namespace)
      .length;
  }

  #leave(connection: Connection, kind: SubscriptionKind, name: Buffer): void {
    const key = keyOf(connection.namespace, name);
    this.#namesOf.get(connection)?.[kind].delete(key);
    const listeners = this.#listeners[kind].get(key);
    listeners?.connections.delete(connection);
    if (listeners?.connections.size === 0) this.#listeners[kind].delete(key);
  }

  #confirm(connection: Connection, word: string, name: Buffer | undefined, kind: SubscriptionKind): void {
    const { reply } = connection;
    reply.push(3);
    reply.bulkText(word);
    if (name === undefined) reply.null();
    else reply.bulk(name);
    const counted = kind === 'shard' ? [kind] : notShard;
    reply.integer(counted.reduce((sum, each) => sum + this.countOf(connection, each), 0));
  }
}

/** A message on its way to one client: its first word, and the pattern and channel it goes by. */
export interface Delivery {
  readonly connection: Connection;
  readonly word: string;
  readonly names: readonly Buffer[];
}

export const deliver = ({ connection, word, names }: Delivery, message: Buffer): void => {
  const { reply } = connection;
  reply.push(2 + names.length);
  reply.bulkText(word);
  for (const name of names) reply.bulk(name);
  reply.bulk(message);
  connection.pushMessage();
};

const kinds: readonly SubscriptionKind[] = ['channel', 'pattern', 'shard'];
/** Counted together where a subscription is confirmed. */
const notShard: readonly SubscriptionKind[] = ['channel', 'pattern'];

const keyOf = (namespace: string, name: Buffer): string => `${namespace}\0${name.toString('latin1')}`;
