import { type Change, cutRecords, type RecordsRun, type Undecodable } from '../data-model/index.js';
import { goneImage, type KeyImage, unsupportedImage, wholeImage } from './key-image.js';
import { type KeyPlace, placeName, placeOf } from './key-place.js';
import { joinRuns, type KeyPart, type WholePart } from './key-reader.js';

/** Keys as a store holds them. */
export interface RecordPage {
  /** The moment of which they are. */
  readonly sequence: number;
  /** The last key of the walk that was looked at; undefined at its end. */
  readonly next: KeyPlace | undefined;
  /** What it was cut into; of one that was read over the network it is cut when somebody asks. */
  readonly runs: readonly RecordsRun[];
  /** What they were cut from, over the network. */
  readonly records?: Buffer;
  /** Keys that were left out, since they are too large. */
  readonly leftOut: readonly KeyPlace[];
  /** True when everything in it was durable when it was read: a restart of the source takes nothing of it back. */
  readonly isDurable: boolean;
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
    images: [...withGone(imagesOf(asked.page), asked.places), ...imagesOf(walked)],
    whole: undefined,
    walk,
    rangeLow: walked.sequence,
    low: asked.page.sequence,
    high: walked.sequence,
    unsettled: [],
    isDurable: walked.isDurable && asked.page.isDurable,
    session,
  };
};

/** Keys that were asked for alone. */
export const partOfAsked = (page: RecordPage, places: readonly KeyPlace[], session: number): KeyPart => ({
  images: withGone(imagesOf(page), places),
  whole: undefined,
  walk: undefined,
  rangeLow: page.sequence,
  low: page.sequence,
  high: page.sequence,
  unsettled: [],
  isDurable: page.isDurable,
  session,
});

/** A page of the walk. It is looked through, and cut into images, only for those who ask: mostly it is delivered as it is. */
class RecordPart implements KeyPart {
  readonly walk: KeyPart['walk'];
  readonly records: Buffer | undefined;
  readonly rangeLow: number;
  readonly low: number;
  readonly high: number;
  readonly unsettled = [];
  readonly isDurable: boolean;
  readonly session: number;
  readonly #page: RecordPage;
  #images: readonly KeyImage[] | undefined;
  #whole: { readonly part: WholePart | undefined } | undefined;

  constructor(page: RecordPage, walk: KeyPart['walk'], session: number) {
    this.walk = walk;
    this.rangeLow = this.low = this.high = page.sequence;
    this.isDurable = page.isDurable;
    this.session = session;
    this.#page = page;
    // Of one with keys that are left out it has to be said again.
    this.records = page.leftOut.length > 0 ? undefined : page.records;
  }

  /** @throws TailraceError `BATCH_CORRUPT` */
  get whole(): WholePart | undefined {
    this.#whole ??= { part: wholeOf(this.#page) };
    return this.#whole.part;
  }

  get images(): readonly KeyImage[] {
    this.#images ??= imagesOf(this.#page);
    return this.#images;
  }
}

/** A page as it came, which is looked through when somebody asks: the next one can be asked for before. */
export class ReceivedPage implements RecordPage {
  readonly sequence: number;
  readonly next: KeyPlace | undefined;
  readonly records: Buffer;
  readonly leftOut: readonly KeyPlace[];
  readonly isDurable: boolean;
  #runs: readonly RecordsRun[] | undefined;

  constructor({
    sequence,
    next,
    records,
    leftOut,
    isDurable,
  }: Omit<RecordPage, 'runs'> & { records: Buffer }) {
    this.sequence = sequence;
    this.next = next;
    this.records = records;
    this.leftOut = leftOut;
    this.isDurable = isDurable;
  }

  /** @throws TailraceError `BATCH_CORRUPT` */
  get runs(): readonly RecordsRun[] {
    this.#runs ??= cutRecords(this.records, this.sequence);
    return this.#runs;
  }
}

const wholeOf = ({ runs, leftOut }: RecordPage): WholePart | undefined =>
  leftOut.length > 0 || runs.some(({ transaction }) => transaction.undecodable.length > 0)
    ? undefined
    : joinRuns(runs);

/** Cuts the changes of a page into those of each key. */
const imagesOf = ({ runs, leftOut }: RecordPage): KeyImage[] => {
  const images: KeyImage[] = leftOut.map((place) => unsupportedImage(place, tooLarge));
  for (const run of runs) addImagesOf(run, images);
  return images;
};

/** The keys of a run, one by one. */
export const imagesOfRun = (run: RecordsRun): KeyImage[] => {
  const images: KeyImage[] = [];
  addImagesOf(run, images);
  return images;
};

const addImagesOf = ({ transaction }: RecordsRun, images: KeyImage[]): void => {
  addImages(transaction.changes, images);
  for (const failure of transaction.undecodable) images.push(imageOfFailure(failure));
};

const addImages = (changes: readonly Change[], images: KeyImage[]): void => {
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
};

const imageOfFailure = ({ ns, key, reason }: Undecodable): KeyImage => {
  if (ns === undefined || key === undefined) throw new RangeError(`records that cannot be read: ${reason}`);
  return unsupportedImage(placeOf(ns, key), reason);
};

/** Why a key cannot be copied. */
export const tooLarge = 'it has more bytes than --max-key-bytes allows';

/** Keys that were asked for and have no records are gone. */
const withGone = (images: readonly KeyImage[], asked: readonly KeyPlace[]): readonly KeyImage[] => {
  const found = new Set(images.map((image) => placeName(image.place)));
  return [...images, ...asked.filter((place) => !found.has(placeName(place))).map(goneImage)];
};
