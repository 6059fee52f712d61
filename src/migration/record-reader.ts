import { Decoder, type Transaction } from '../data-model/index.js';
import type { Reply } from '../resp/index.js';
import { goneImage, type KeyImage, unsupportedImage, wholeImage } from './key-image.js';
import { type KeyPlace, placeName, placeOf } from './key-place.js';
import type { KeyPart, KeyReader, PartLimit, WholePart } from './key-reader.js';
import { requireReply, type ServerConnection } from './server-connection.js';

/**
 * Reads keys by RECORDS, which tailrace serve has: physical records, a page of whole keys in one reply, all of one
 * moment. So every part is exact (`low` = `high`) and nothing is ever read twice. Hot; measured by bench `migrate`.
 */
export class RecordReader implements KeyReader {
  readonly readsEveryNamespace = true;
  readonly #connection: ServerConnection;

  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  async read(
    after: KeyPlace | undefined,
    again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    const scan = ['RECORDS', 'SCAN', after ?? '', 'COUNT', limit.maxKeys, 'BYTES', limit.maxBytes];
    const commands = again.length === 0 ? [scan] : [['RECORDS', 'GET', ...again], scan];
    const replies = await this.#connection.callAll(signal, commands);
    const { session } = this.#connection;
    const walked = this.#page(replies.at(-1));
    const walk = { end: walked.next };
    if (again.length === 0) return new RecordPart(walked, walk, session);
    const asked = this.#page(replies[0]);
    return {
      images: [...withGone(imagesOf(asked.read), again), ...imagesOf(walked.read)],
      whole: undefined,
      walk,
      rangeLow: walked.sequence,
      low: asked.sequence,
      high: walked.sequence,
      unsettled: [],
      session,
    };
  }

  async readKeys(places: readonly KeyPlace[], _isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    const { read, sequence } = this.#page(await this.#connection.call(signal, 'RECORDS', 'GET', ...places));
    return {
      images: withGone(imagesOf(read), places),
      whole: undefined,
      walk: undefined,
      rangeLow: sequence,
      low: sequence,
      high: sequence,
      unsettled: [],
      session: this.#connection.session,
    };
  }

  isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    return this.#connection.isAlive(part.session, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
  }

  #page(reply: Reply | undefined): RecordPage {
    const answer = requireReply(reply, 'RECORDS', this.#connection.place);
    const [sequence, next, batch] = Array.isArray(answer) ? answer : [];
    if (typeof sequence !== 'number' || !(batch instanceof Buffer))
      throw new RangeError('an answer to RECORDS that has no sequence number and no batch');
    // A decoder of its own for each page: it must not take one page for the history of another.
    return { sequence, next: next instanceof Buffer ? next : undefined, read: new Decoder().decode(batch) };
  }
}

interface RecordPage {
  readonly sequence: number;
  readonly next: KeyPlace | undefined;
  readonly read: Transaction;
}

/** A page of the walk. It is cut into images only for those who ask: mostly it is delivered as it is. */
class RecordPart implements KeyPart {
  readonly walk: KeyPart['walk'];
  readonly whole: WholePart | undefined;
  readonly rangeLow: number;
  readonly low: number;
  readonly high: number;
  readonly unsettled = [];
  readonly session: number;
  readonly #read: Transaction;
  #images: readonly KeyImage[] | undefined;

  constructor({ sequence, read }: RecordPage, walk: KeyPart['walk'], session: number) {
    this.walk = walk;
    this.rangeLow = this.low = this.high = sequence;
    this.session = session;
    this.#read = read;
    this.whole = wholeOf(read);
  }

  get images(): readonly KeyImage[] {
    this.#images ??= imagesOf(this.#read);
    return this.#images;
  }
}

/** Each key begins with a delete or, where it is one value, with the put of it. */
const wholeOf = ({ changes, undecodable, bytes }: Transaction): WholePart | undefined => {
  if (undecodable.length > 0 || changes.length === 0) return undefined;
  const { ns } = changes[0];
  let strings = 0;
  let keys = 0;
  for (const change of changes) {
    if (change.ns !== ns) return undefined;
    if (change.op === 'put' && change.type === 'string') strings++;
    else if (change.op === 'put' ? change.type === 'json' : change.op === 'delete' && change.type === 'key')
      keys++;
  }
  const isStrings = strings === changes.length;
  return { ns, changes, keys: keys + strings, byteLength: bytes.length, isStrings };
};

/** Cuts the changes of a page into those of each key. */
const imagesOf = ({ changes, undecodable }: Transaction): KeyImage[] => {
  const images: KeyImage[] = [];
  for (let from = 0; from < changes.length; ) {
    const first = changes[from];
    if (!('key' in first)) throw new RangeError(`a ${first.op} among the records of keys`);
    let to = from + 1;
    for (; to < changes.length; to++) {
      const change = changes[to];
      if (!('key' in change) || change.ns !== first.ns) break;
      if (change.key !== first.key && Buffer.compare(change.key, first.key) !== 0) break;
    }
    images.push(wholeImage(placeOf(first.ns, first.key), changes.slice(from, to)));
    from = to;
  }
  for (const { ns, key, reason } of undecodable) {
    if (ns === undefined || key === undefined) throw new RangeError(`records that cannot be read: ${reason}`);
    images.push(unsupportedImage(placeOf(ns, key), reason));
  }
  return images;
};

/** Keys that were asked for and have no records are gone. */
const withGone = (images: readonly KeyImage[], asked: readonly KeyPlace[]): readonly KeyImage[] => {
  const found = new Set(images.map((image) => placeName(image.place)));
  return [...images, ...asked.filter((place) => !found.has(placeName(place))).map(goneImage)];
};
