import { cutRecords } from '../data-model/index.js';
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
  if (part.records !== undefined && part.whole !== undefined)
    return { facts: { end } satisfies PageFacts, records: part.records };
  const { images, unsettled, rangeLow, low } = part;
  if (images.some(({ unsupported }) => unsupported !== undefined)) return undefined;
  return { facts: { end, images, unsettled, rangeLow, low } satisfies ImageFacts, records: noBytes };
};

/** The part again, everything in it being durable at the source. */
export const unpackPart = ({ facts, high, records }: KeptPart): KeyPart => {
  const known = facts as PageFacts | ImageFacts;
  if (!('images' in known))
    return partOfPages(
      {
        sequence: high,
        next: known.end,
        runs: cutRecords(Buffer.from(records.buffer, records.byteOffset, records.length), high),
        leftOut: [],
        isDurable: true,
      },
      undefined,
      noSession,
    );
  const { end, ...rest } = known;
  return { ...rest, high, whole: undefined, walk: { end }, isDurable: true, session: noSession };
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
