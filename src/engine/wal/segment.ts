import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import type { SegmentIndex } from './segment-index.js';

/** A log file as it lies in a directory. */
export interface SegmentFile {
  readonly number: number;
  readonly path: string;
  readonly sizeBytes: number;
}

/** A segment of the open log. */
export interface WalSegment {
  readonly number: number;
  readonly path: string;
  readonly index: SegmentIndex;
  readonly firstSequence: number;
  /** Last sequence number in it; `firstSequence - 1` while it holds none. */
  lastSequence: number;
  /** Bytes that log readers may read. */
  durableBytes: number;
}

/** `NNNNNN.log`, six digits at least, as RocksDB names its log files. */
export const segmentName = (number: number): string => `${String(number).padStart(6, '0')}.log`;

/**
 * The log files of a directory in order of their numbers, those that RocksDB moved to `archive/` included.
 * @throws TailraceError `FILE_INACCESSIBLE`
 */
export const listSegmentFiles = (directory: string): SegmentFile[] => {
  const found = new Map<number, SegmentFile>();
  // `archive/` comes last: what is moved there meanwhile is then seen in one of them, or in both.
  for (const folder of [directory, archiveOf(directory)]) {
    if (folder !== directory && !existsSync(folder)) continue;
    for (const name of readNames(folder)) {
      const match = /^(\d{6,})\.log$/.exec(name);
      if (match === null) continue;
      const path = join(folder, name);
      const size = sizeOf(path);
      if (size >= 0) found.set(Number(match[1]), { number: Number(match[1]), path, sizeBytes: size });
    }
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
};

/** Where a RocksDB moves log files that it needs no more, for those who follow its log. */
export const archiveOf = (directory: string): string => join(directory, 'archive');

const readNames = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw inaccessible(folder, cause);
  }
};

/** Size in bytes; -1 when the file was moved or removed since it was listed. */
const sizeOf = (path: string): number => {
  try {
    return statSync(path).size;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return -1;
    throw inaccessible(path, cause);
  }
};
