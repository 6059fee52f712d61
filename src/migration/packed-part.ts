import { cutRecords, type RecordsRun } from '../data-model/index.js';
import { isTailraceError } from '../errors/index.js';
import type { KeyImage } from './key-image.js';
import type { KeyPlace } from './key-place.js';
import type { KeyPart } from './key-reader.js';
import type { KeptPart } from './part-files.js';
import { partOfPages } from './record-part.js';

/**
 * A part of the walk as it is kept: the records of a page as they came, or else the images of its keys. undefined for one in
 * which a key cannot be copied: another time it may be asked for in another way.
 */
export const packPart = (part: KeyPart): Pick<KeptPart, 'facts' | 'records'> | undefined => {
  const end = part.walk?.end;
  // Not looked into: the next part is asked for as soon as this one is kept.
  if (part.records !== undefined) return { facts: { end } satisfies PageFacts, records: part.records };
  const { images, unsettled, rangeLow, low } = part;
  if (images.some(({ unsupported }) => unsupported !== undefined)) return undefined;
  return { facts: { end, images, unsettled, rangeLow, low } satisfies ImageFacts, records: noBytes };
};

/** The part again, everything in it being durable at the source; undefined when it has to be read again. */
export const unpackPart = ({ facts, high, records }: KeptPart): KeyPart | undefined => {
  const known = facts as PageFacts | ImageFacts;
  if (!('images' in known)) {
    const runs = runsOf(Buffer.from(records.buffer, records.byteOffset, records.length), high);
    if (runs === undefined) return undefined;
    const page = { sequence: high, next: known.end, runs, leftOut: [], isDurable: true };
    return partOfPages(page, undefined, noSession);
  }
  const { end, ...rest } = known;
  return { ...rest, high, whole: undefined, walk: { end }, isDurable: true, session: noSession };
};

/** undefined for a page that was malformed when it came. */
const runsOf = (records: Buffer, sequence: number): readonly RecordsRun[] | undefined => {
  try {
    return cutRecords(records, sequence);
  } catch (error) {
    if (isTailraceError(error, 'BATCH_CORRUPT')) return undefined;
    throw error;
  }
};

interface PageFacts {
  readonly end: KeyPlace | undefined;
}

interface ImageFacts extends PageFacts {
  readonly images: readonly KeyImage[];
  readonly unsettled: readonly KeyPlace[];
  readonly rangeLow: number;
  readonly low: number;
}

const noBytes = new Uint8Array(0);
/** It was read by no connection that there still is. */
const noSession = -1;
