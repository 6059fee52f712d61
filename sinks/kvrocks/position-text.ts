import { type Claim, TailraceError } from '../../src/kit/index.js';

/** What the position key holds. */
export interface HeldClaim extends Claim {
  /** A token of the claimant. */
  readonly owner: string;
}

/**
 * As text: `epoch owner sequence count crc`, separated by blanks, numbers in decimal; `epoch owner` alone before the
 * first batch.
 */
export const encodeClaim = ({ epoch, owner, position }: HeldClaim): Buffer => {
  const place = position === null ? '' : ` ${position.sequence} ${position.count} ${position.crc}`;
  return Buffer.from(`${epoch} ${owner}${place}`);
};

/** @throws TailraceError `OFFSETS_CORRUPT` for a text that this sink cannot have written */
export const decodeClaim = (key: string, text: string): HeldClaim => {
  const [epoch = '', owner = '', ...place] = text.split(' ');
  const isNumbers = [epoch, ...place].every((word) => /^\d{1,16}$/.test(word));
  if (isNumbers && /^[0-9a-f-]{36}$/.test(owner) && (place.length === 0 || place.length === 3)) {
    const [sequence, count, crc] = place.map(Number);
    return { epoch: Number(epoch), owner, position: place.length === 0 ? null : { sequence, count, crc } };
  }
  throw new TailraceError('OFFSETS_CORRUPT', `the key ${key} holds ${JSON.stringify(text.slice(0, 100))}`, {
    context: { key },
    remedy: 'Something else writes to this key: give the pipeline another name or positionKey, or delete it.',
  });
};
