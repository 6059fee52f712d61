import { type Files, withFile } from '../../files/index.js';
import { requireSealed, requireSealedFiles } from './sealed-files.js';
import { listSegmentFiles, type SegmentFile, type WalSegment } from './segment.js';
import { SegmentIndex } from './segment-index.js';
import { type Seal, type SegmentSeals, sealOf } from './segment-seals.js';
import { type BatchVisitor, damaged, firstSequenceOf, gap, scanSegment } from './wal-scan.js';

/** What opening a log found and did. */
export interface Recovery {
  readonly batches: number;
  /** The torn tail that was cut, if there was one. */
  readonly cut?: {
    readonly file: string;
    readonly offset: number;
    readonly bytes: number;
    readonly reason: string;
  };
}

/** A log as it was found. */
export interface RecoveredSegments {
  readonly segments: WalSegment[];
  readonly nextSequence: number;
  readonly recovery: Recovery;
}

/**
 * Reads the log of a directory, every batch in order, and visits those behind `replayAfter`: finished segments with
 * nothing behind it are not read. A torn tail of the newest segment is noted; anything else
 * that is not intact is an error that names file and offset.
 * @throws TailraceError `WAL_CORRUPT` | `WAL_GAP` | `FILE_INACCESSIBLE`
 */
export const recoverSegments = (
  directory: string,
  seals: SegmentSeals,
  replayAfter: number,
  visit: BatchVisitor,
): RecoveredSegments => {
  const segments: WalSegment[] = [];
  const found = listSegmentFiles(directory);
  let nextSequence = 0;
  let batches = 0;
  let cut: Recovery['cut'];
  for (const [position, file] of found.entries()) {
    const isNewest = position === found.length - 1;
    const seal = seals.get(file.number);
    if (seal !== undefined && seal.lastSequence <= replayAfter && seal.sizeBytes === file.sizeBytes) {
      const segment = skippedSegment(file, seal, nextSequence);
      nextSequence = segment.lastSequence + 1;
      segments.push(segment);
      continue;
    }
    const index = new SegmentIndex();
    let firstSequence = nextSequence;
    const end = scanSegment(file, nextSequence, (bytes, sequence, count, offset) => {
      if (firstSequence === 0) firstSequence = sequence;
      index.add(sequence, offset);
      if (sequence <= replayAfter) return;
      visit(bytes, sequence, count, offset);
      batches++;
    });
    const { validBytes, tornReason } = end;
    requireSealed(seal, file, end);
    if (tornReason !== undefined && !isNewest) throw damaged(file.path, validBytes, tornReason);
    if (tornReason !== undefined)
      cut = { file: file.path, offset: validBytes, bytes: file.sizeBytes - validBytes, reason: tornReason };
    nextSequence = end.nextSequence;
    segments.push({
      number: file.number,
      path: file.path,
      index,
      firstSequence,
      lastSequence: nextSequence === 0 ? 0 : nextSequence - 1,
      durableBytes: validBytes,
    });
  }
  requireSealedFiles(seals.all, found, directory);
  return {
    segments,
    nextSequence: nextSequence === 0 ? replayAfter + 1 : nextSequence,
    recovery: cut === undefined ? { batches } : { batches, cut },
  };
};

/**
 * Cuts the torn tail, and seals what was not: the newest segment, as a new one is begun rather than appending behind a
 * tail, and the one before it when the process ended right after beginning the newest.
 */
export const finishRecovery = async (
  { segments, recovery }: RecoveredSegments,
  files: Files,
  seals: SegmentSeals,
): Promise<void> => {
  const unsealed = segments.filter(({ number }) => seals.get(number) === undefined);
  if (unsealed.length === 0) return;
  for (const segment of unsealed) await finish(segment, recovery.cut?.file === segment.path, files);
  await seals.add(...unsealed.map(sealOf));
};

const finish = ({ path, durableBytes }: WalSegment, isTorn: boolean, files: Files): Promise<void> =>
  withFile(files, path, 'r+', async (fd) => {
    if (isTorn) await files.truncate(fd, durableBytes);
    await files.datasync(fd);
  });

/** A finished segment that is not read: only where it begins is looked up. */
const skippedSegment = (file: SegmentFile, seal: Seal, expected: number): WalSegment => {
  const first = firstSequenceOf(file);
  if (expected !== 0 && first !== 0 && first !== expected) throw gap(file.path, 0, expected, first);
  return {
    number: file.number,
    path: file.path,
    index: new SegmentIndex(),
    firstSequence: first === 0 ? expected : first,
    lastSequence: seal.lastSequence,
    durableBytes: seal.sizeBytes,
  };
};
