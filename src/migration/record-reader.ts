import type { Reply } from '../resp/index.js';
import type { KeyPlace } from './key-place.js';
import type { KeyPart, KeyReader, PartLimit } from './key-reader.js';
import { partOfAsked, partOfPages, ReceivedPage, type RecordPage } from './record-part.js';
import { requireReply, type ServerConnection } from './server-connection.js';

/**
 * Reads keys by RECORDS, which tailrace serve has: physical records, a page of whole keys in one reply, all of one
 * moment. So every part is exact (`low` = `high`), and none is read again for what changed meanwhile. Hot; measured by bench
 * `migrate`.
 */
export class RecordReader implements KeyReader {
  readonly readsEveryNamespace = true;
  readonly #connection: ServerConnection;
  readonly #largestKeyBytes: number | undefined;

  /** @param largestKeyBytes keys of more bytes are not read, and told as unsupported; default: none is */
  constructor(connection: ServerConnection, largestKeyBytes?: number) {
    this.#connection = connection;
    this.#largestKeyBytes = largestKeyBytes;
  }

  async read(
    after: KeyPlace | undefined,
    again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    const scan = ['RECORDS', 'SCAN', after ?? '', ...this.#limits(limit)];
    const commands = again.length === 0 ? [scan] : [this.#get(again), scan];
    const replies = await this.#connection.callAll(signal, commands);
    const { session } = this.#connection;
    const walked = this.#page(replies.at(-1));
    const asked = again.length === 0 ? undefined : { page: this.#page(replies[0]), places: again };
    return partOfPages(walked, asked, session);
  }

  async readKeys(places: readonly KeyPlace[], _isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    const page = this.#page(await this.#connection.call(signal, ...this.#get(places)));
    return partOfAsked(page, places, this.#connection.session);
  }

  async isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    return part.isDurable === true || (await this.#connection.isAlive(part.session, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
  }

  #limits({ maxKeys, maxBytes }: PartLimit): (string | number)[] {
    const largest = this.#largestKeyBytes === undefined ? [] : ['LARGEST', this.#largestKeyBytes];
    return ['COUNT', maxKeys, 'BYTES', maxBytes, ...largest];
  }

  #get(places: readonly KeyPlace[]): (string | number | Buffer)[] {
    const largest = this.#largestKeyBytes;
    // Of no key at all the moment is asked for.
    const keys = places.length === 0 ? [''] : places;
    return largest === undefined ? ['RECORDS', 'GET', ...keys] : ['RECORDS', 'GETUPTO', largest, ...keys];
  }

  #page(reply: Reply | undefined): RecordPage {
    const answer = requireReply(reply, 'RECORDS', this.#connection.place);
    const [sequence, next, records, leftOut, durable] = Array.isArray(answer) ? answer : [];
    if (typeof sequence !== 'number' || !(records instanceof Buffer))
      throw new RangeError('an answer to RECORDS that has no sequence number and no records');
    return new ReceivedPage({
      sequence,
      next: next instanceof Buffer ? next : undefined,
      records,
      leftOut: Array.isArray(leftOut) ? leftOut.flatMap((key) => (key instanceof Buffer ? [key] : [])) : [],
      isDurable: typeof durable === 'number' && durable >= sequence,
    });
  }
}
