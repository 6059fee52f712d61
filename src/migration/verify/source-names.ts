import { type KeyPlace, keyAt, placeOf } from '../key-place.js';
import { requireReply, type ServerConnection } from '../server-connection.js';

/** Which keys a source has, without what they hold. */
export interface SourceNames {
  /** A text that stays the same as long as nothing is written. */
  newest(signal: AbortSignal): Promise<string>;
  /** About how many keys there are. */
  count(signal: AbortSignal): Promise<number>;
  /** All keys, page by page. */
  walk(signal: AbortSignal): AsyncIterable<readonly KeyPlace[]>;
  /** Those of the keys that the source does not have. */
  missing(places: readonly KeyPlace[], signal: AbortSignal): Promise<readonly KeyPlace[]>;
}

/** Asks a server, in its default namespace. */
export class ServerNames implements SourceNames {
  readonly #server: ServerConnection;

  constructor(server: ServerConnection) {
    this.#server = server;
  }

  async newest(signal: AbortSignal): Promise<string> {
    const reply = await this.#server.call(signal, 'INFO', 'keyspace');
    return /^sequence:\d+/m.exec(String(reply))?.[0] ?? `unknown at ${performance.now()}`;
  }

  async count(signal: AbortSignal): Promise<number> {
    return Number(await this.#server.call(signal, 'DBSIZE'));
  }

  async *walk(signal: AbortSignal): AsyncGenerator<readonly KeyPlace[]> {
    let cursor = '0';
    do {
      const asked = await this.#server.call(signal, 'SCAN', cursor, 'COUNT', scanCount);
      const reply = requireReply(asked, 'SCAN', this.#server.place);
      const [next, names] = Array.isArray(reply) ? reply : [];
      if (!Array.isArray(names)) throw new RangeError('an answer to SCAN that has no keys');
      yield names.flatMap((name) => (name instanceof Buffer ? [placeOf('default', name)] : []));
      cursor = String(next);
    } while (cursor !== '0');
  }

  async missing(places: readonly KeyPlace[], signal: AbortSignal): Promise<readonly KeyPlace[]> {
    const keys = places.map((place) => keyAt(place).key);
    if ((await this.#server.call(signal, 'EXISTS', ...keys)) === keys.length) return [];
    const each = await this.#server.callAll(
      signal,
      keys.map((key) => ['EXISTS', key]),
    );
    return places.filter((_, at) => each[at] !== 1);
  }
}

const scanCount = 5_000;
