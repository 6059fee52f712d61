import type { Transaction } from '../data-model/index.js';
import { goneImage, type KeyImage, unsupportedImage, wholeImage } from './key-image.js';
import { type KeyPlace, placeName, placeOf } from './key-place.js';
import type { KeyPart, WholePart } from './key-reader.js';

/** Keys as a store holds them, decoded. */
export interface RecordPage {
  /** The moment of which they are. */
  readonly sequence: number;
  /** The last key of the walk that was looked at; undefined at its end. */
  readonly next: KeyPlace | undefined;
  readonly read: Transaction;
}

/** A part of the walk, and besides it keys that were asked for; both of nearly the same moment. */
export const partOfPages = (
  walked: RecordPage,
  asked: { readonly page: RecordPage; readonly places: readonly KeyPlace[] } | undefined,
  session: number,
): KeyPart => {
  const walk = { end: walked.next };
  if (asked === undefined) return new RecordPart(walked, walk, session);
  return {
    images: [...withGone(imagesOf(asked.page.read), asked.places), ...imagesOf(walked.read)],
    whole: undefined,
    walk,
    rangeLow: walked.sequence,
    low: asked.page.sequence,
    high: walked.sequence,
    unsettled: [],
    session,
  };
};

/** Keys that were asked for alone. */
export const partOfAsked = (
  { read, sequence }: RecordPage,
  places: readonly KeyPlace[],
  session: number,
): KeyPart => ({
  images: withGone(imagesOf(read), places),
  whole: undefined,
  walk: undefined,
  rangeLow: sequence,
  low: sequence,
  high: sequence,
  unsettled: [],
  session,
});

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
