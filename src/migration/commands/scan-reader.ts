import { type KeyImage, unsupportedImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeName, placeOf, placeOfName } from '../key-place.js';
import type { KeyPart, KeyReader, PartLimit } from '../key-reader.js';
import type { ServerConnection } from '../server-connection.js';
import { CommandReader, type SequenceQuestion } from './command-reader.js';
import { isForgotten, PartSize, readScanPage } from './scan-page.js';

/**
 * Reads the keys of any server that knows SCAN, in whatever order that gives them, and knows nothing of a log: each key is
 * as it was when it was read. A place between two parts is the server's cursor (behind the namespace, as a key would be),
 * and is good for nothing but to go on. What changes during the walk may be seen or not.
 */
export class ScanReader implements KeyReader {
  readonly readsEveryNamespace = false;
  readonly #ns: string;
  readonly #connection: ServerConnection;
  readonly #values: CommandReader;
  readonly #pageSize = new PartSize();

  /**
   * @param connection by which the keys of namespace `ns` are seen
   * @param largestKeyBytes keys of more bytes are told as unsupported
   */
  constructor(connection: ServerConnection, ns = 'default', largestKeyBytes?: number) {
    this.#ns = ns;
    this.#connection = connection;
    this.#values = new CommandReader(connection, noSequence, ns, largestKeyBytes);
  }

  get session(): number {
    return this.#connection.session;
  }

  async read(
    after: KeyPlace | undefined,
    again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    const cursor = after === undefined ? '0' : keyAt(after).key.toString();
    const count = Math.min(this.#pageSize.keys, limit.maxKeys);
    const { next, names } = await this.#scan(cursor, count, signal);
    const part = await this.readKeys([...again, ...names], false, signal);
    this.#pageSize.follow(part.images, limit.maxBytes, limit.maxKeys);
    return { ...part, walk: { end: next === '0' ? undefined : placeOf(this.#ns, Buffer.from(next)) } };
  }

  /** Without a log nobody would read a key again that changed meanwhile, so that is done here. */
  async readKeys(places: readonly KeyPlace[], isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    let part = await this.#values.readKeys(places, isExact, signal);
    const images: KeyImage[] = [...part.images];
    for (let tries = 0; part.unsettled.length > 0 && tries < maxTries; tries++) {
      part = await this.#values.readKeys(part.unsettled, tries > 1, signal);
      images.push(...part.images);
    }
    images.push(...part.unsettled.map((place) => unsupportedImage(place, 'it changes too fast to be read')));
    return { ...part, images, unsettled: [] };
  }

  async isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    return part.isDurable === true || (await this.#connection.isAlive(part.session, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
  }

  /** A page of names. A cursor that the server has forgotten, as after its restart, begins the walk again. */
  async #scan(
    cursor: string,
    count: number,
    signal: AbortSignal,
  ): Promise<{ next: string; names: readonly KeyPlace[] }> {
    let reply = await this.#connection.call(signal, 'SCAN', cursor, 'COUNT', count);
    if (isForgotten(reply, cursor)) reply = await this.#connection.call(signal, 'SCAN', '0', 'COUNT', count);
    const { next, keys } = readScanPage(reply, this.#connection.place);
    const names = new Set(keys.map((key) => placeName(placeOf(this.#ns, key))));
    return { next, names: [...names].map(placeOfName) };
  }
}

/** There is no log that a read would have to be put in order with: all is of the one moment at which `NoLog` stands. */
const noSequence: SequenceQuestion = { command: ['PING'], read: () => 1 };

const maxTries = 6;
