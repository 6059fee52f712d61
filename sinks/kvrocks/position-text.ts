import { type Claim, TailraceError } from '../../src/kit/index.js';

/**
 * What the position key holds: `epoch sequence count crc` in decimal, separated by blanks; `epoch` alone before the
 * first batch.
 */
export const encodeClaim = ({ epoch, position }: Claim): Buffer =>
  Buffer.from(
    position === null ? `${epoch}` : `${epoch} ${position.sequence} ${position.count} ${position.crc}`,
  );

/** @throws TailraceError `OFFSETS_CORRUPT` for a text that this sink cannot have written */
export const decodeClaim = (key: string, text: string): Claim => {
  const words = text.split(' ');
  const [epoch, sequence, count, crc] = words.map(Number);
  if (words.every((word) => /^\d{1,16}$/.test(word))) {
    if (words.length === 1) return { epoch, position: null };
    if (words.length === 4) return { epoch, position: { sequence, count, crc } };
  }
  throw new TailraceError('OFFSETS_CORRUPT', `the key ${key} holds ${JSON.stringify(text.slice(0, 100))}`, {
    context: { key },
    remedy: 'Something else writes to this key: give the pipeline another name or positionKey, or delete it.',
  });
};
