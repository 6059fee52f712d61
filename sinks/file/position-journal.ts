import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  codeOf,
  crc32c,
  inaccessible,
  nodeFiles,
  type Position,
  readU32,
  readU64,
  replaceFile,
  writeU32,
  writeU64,
} from '../../src/kit/index.js';

/** What a commit made true: this file is this long, and holds everything up to the position. */
export interface JournalEntry {
  /** Number of the file that is being written; 0 = it is never another. */
  readonly segment: number;
  /** Length of that file in bytes. */
  readonly dataBytes: number;
  readonly epoch: number;
  /** Null before the first batch. */
  readonly position: Position | null;
}

/**
 * The positions of a file sink, one record a commit, appended after the data is synced. The last whole record is the
 * truth; data behind its length is the torn end of a commit that never was.
 *
 *   0            8          16            24       28      32       36          40
 *   | data bytes | epoch    | sequence    | count  | crc   | segment | crc32c   |
 *     u64 LE       u64 LE     u64 LE        u32 LE   u32     u32       u32 LE, of the 36 bytes before
 *
 * sequence 0 = no position yet.
 */
const journalRecordBytes = 40;

/** The last whole record of a journal that `isWanted`; undefined when it has none. @throws `FILE_INACCESSIBLE` */
export const readLastEntry = (
  path: string,
  isWanted: (entry: JournalEntry) => boolean = () => true,
): JournalEntry | undefined => {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw inaccessible(path, cause);
  }
  try {
    const record = Buffer.alloc(journalRecordBytes);
    const whole = Math.floor(fstatSync(fd).size / journalRecordBytes);
    for (let at = whole - 1; at >= 0; at--) {
      readSync(fd, record, 0, journalRecordBytes, at * journalRecordBytes);
      const entry = decodeEntry(record);
      if (entry !== undefined && isWanted(entry)) return entry;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
};

/** Appends commits to a journal that begins with one entry: what held when it was opened. */
export class PositionJournal {
  readonly path: string;
  readonly #directory: string;
  readonly #maxBytes: number;
  #fd = -1;
  #length = 0;

  /** @param maxBytes it is begun anew at this size, so that it never grows beyond */
  constructor(directory: string, path: string, maxBytes = 4 * 1024 * 1024) {
    this.#directory = directory;
    this.path = path;
    this.#maxBytes = maxBytes;
  }

  /** Replaces the journal by one record, atomically, and opens it. */
  async restart(entry: JournalEntry): Promise<void> {
    await this.close();
    await replaceFile(nodeFiles, this.#directory, this.path, encodeEntry(entry));
    this.#fd = await nodeFiles.open(this.path, 'r+');
    this.#length = journalRecordBytes;
  }

  /** Makes a commit true. */
  async append(entry: JournalEntry): Promise<void> {
    if (this.#length >= this.#maxBytes) {
      await this.restart(entry);
      return;
    }
    await nodeFiles.write(this.#fd, encodeEntry(entry), this.#length);
    await nodeFiles.datasync(this.#fd);
    this.#length += journalRecordBytes;
  }

  async close(): Promise<void> {
    if (this.#fd >= 0) await nodeFiles.close(this.#fd);
    this.#fd = -1;
  }
}

const encodeEntry = ({ segment, dataBytes, epoch, position }: JournalEntry): Buffer => {
  const record = Buffer.alloc(journalRecordBytes);
  writeU64(record, 0, dataBytes);
  writeU64(record, 8, epoch);
  writeU64(record, 16, position?.sequence ?? 0);
  writeU32(record, 24, position?.count ?? 0);
  writeU32(record, 28, position?.crc ?? 0);
  writeU32(record, 32, segment);
  writeU32(record, 36, crc32c(record, 0, 36));
  return record;
};

const decodeEntry = (record: Buffer): JournalEntry | undefined => {
  if (readU32(record, 36) !== crc32c(record, 0, 36)) return undefined;
  const sequence = readU64(record, 16);
  return {
    segment: readU32(record, 32),
    dataBytes: readU64(record, 0),
    epoch: readU64(record, 8),
    position: sequence === 0 ? null : { sequence, count: readU32(record, 24), crc: readU32(record, 28) },
  };
};
