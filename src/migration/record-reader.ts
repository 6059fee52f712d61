import { cutRecords } from '../data-model/index.js';
import type { Reply } from '../resp/index.js';
import type { KeyPlace } from './key-place.js';
import type { KeyPart, KeyReader, PartLimit } from './key-reader.js';
import { partOfAsked, partOfPages, type RecordPage } from './record-part.js';
import { requireReply, type ServerConnection } from './server-connection.js';

/**
 * Reads keys by RECORDS, which tailrace serve has: physical records, a page of whole keys in one reply, all of one
 * moment. So every part is exact (`low` = `high`) and nothing is ever read twice. Pages of the walk are asked for before
 * they are wanted, so that the source reads one while another is copied. Hot; measured by bench `migrate`.
 */
export class RecordReader implements KeyReader {
  readonly readsEveryNamespace = true;
  readonly #connection: ServerConnection;
  readonly #largestKeyBytes: number | undefined;
  /** The walk that is read ahead. */
  #walk: Walk | undefined;

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
    if (again.length === 0 && limit.isPaced !== true) return await this.#readWalk(after, limit, signal);
    this.#walk = undefined;
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

  async #readWalk(after: KeyPlace | undefined, limit: PartLimit, signal: AbortSignal): Promise<KeyPart> {
    const words = this.#limits(limit);
    const known = this.#walk;
    const walk =
      known !== undefined && this.#goesOn(known, after, words)
        ? known
        : { after, words, session: 0, pages: [] };
    // Until its next page is there, nobody can go on with it.
    this.#walk = undefined;
    if (walk === known) this.#askAhead(walk, 1 + pagesAhead, signal);
    else walk.pages.push(this.#connection.call(signal, 'RECORDS', 'SCAN', after ?? '', ...words));
    const page = this.#page(await walk.pages.shift());
    const { session } = this.#connection;
    if (walk !== known) walk.session = session;
    walk.after = page.next;
    if (page.next !== undefined) {
      this.#askAhead(walk, pagesAhead, signal);
      this.#walk = walk;
    }
    return partOfPages(page, undefined, session);
  }

  #goesOn(walk: Walk, after: KeyPlace | undefined, words: Walk['words']): boolean {
    if (after === undefined || walk.after === undefined || !after.equals(walk.after)) return false;
    if (!this.#connection.isOpen || walk.session !== this.#connection.session) return false;
    return words.every((word, at) => word === walk.words[at]);
  }

  #askAhead({ pages, words }: Walk, count: number, signal: AbortSignal): void {
    while (pages.length < count) {
      const page = this.#connection.call(signal, 'RECORDS', 'NEXT', ...words);
      page.catch(() => undefined); // seen when it is awaited
      pages.push(page);
    }
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
    return {
      sequence,
      next: next instanceof Buffer ? next : undefined,
      runs: cutRecords(records, sequence),
      leftOut: Array.isArray(leftOut) ? leftOut.flatMap((key) => (key instanceof Buffer ? [key] : [])) : [],
      isDurable: typeof durable === 'number' && durable >= sequence,
    };
  }
}

/** Pages of one walk that were asked for, one behind the other on one connection. */
interface Walk {
  /** Behind which key the first of them begins. */
  after: KeyPlace | undefined;
  readonly words: readonly (string | number)[];
  session: number;
  readonly pages: Promise<Reply>[];
}

/** So many are asked for behind the one that is awaited. */
const pagesAhead = 1;
