import { join } from 'node:path';
import { type SegmentFile, segmentName } from './segment.js';
import type { Seal } from './segment-seals.js';
import { damaged, type SegmentEnd } from './wal-scan.js';

/** A sealed segment has no torn tail: what is missing of it, or too much, is damage. @throws `WAL_CORRUPT` */
export const requireSealed = (
  seal: Seal | undefined,
  file: SegmentFile,
  { validBytes, tornReason }: SegmentEnd,
): void => {
  if (seal === undefined || (validBytes === seal.sizeBytes && validBytes === file.sizeBytes)) return;
  throw damaged(file.path, validBytes, tornReason ?? `the file was sealed with ${seal.sizeBytes} bytes`);
};

/**
 * A sealed segment whose file is gone leaves a hole, unless it and all before it were removed on purpose.
 * @throws `WAL_CORRUPT`
 */
export const requireSealedFiles = (
  seals: readonly Seal[],
  found: readonly SegmentFile[],
  directory: string,
): void => {
  const first = found[0]?.number ?? Number.POSITIVE_INFINITY;
  for (const seal of seals) {
    if (seal.number < first && found.length > 0) continue;
    if (found.some((file) => file.number === seal.number)) continue;
    throw damaged(join(directory, segmentName(seal.number)), 0, 'the sealed segment is missing');
  }
};
