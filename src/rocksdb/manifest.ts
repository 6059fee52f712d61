import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogReader } from '../engine/index.js';
import { TailraceError } from '../errors/index.js';
import { inaccessible, openToRead } from '../files/index.js';
import type { ColumnFamilyVersion, StoreVersion, TableFile } from './store-version.js';
import { decodeVersionEdit, type VersionEdit } from './version-edit.js';

/**
 * Reads which files make up the store in a directory: CURRENT names the MANIFEST, a log of version edits, which another
 * process may be writing. @throws TailraceError `FILE_INACCESSIBLE` | `STORE_CORRUPT` | `SOURCE_UNSUPPORTED`
 */
export const readStoreVersion = (directory: string): StoreVersion => {
  const manifest = join(directory, readCurrent(directory));
  const families = new Map<number, Family>();
  let lastSequence = 0;
  let group: VersionEdit[] = [];
  const fd = openToRead(manifest);
  let manifestBytes = 0;
  try {
    const reader = new LogReader(fd, manifest, 0);
    for (;;) {
      const read = reader.next();
      if (read === 'damaged') throw damaged(manifest, reader.offset, reader.reason);
      if (read !== 'record') break;
      const edit = decodeVersionEdit(reader.payload);
      if (typeof edit === 'string') throw unsupported(manifest, reader.offset, edit);
      group.push(edit);
      if (edit.remainingInGroup > 0) continue;
      for (const one of group) apply(families, one, manifest);
      lastSequence = group.reduce((last, one) => Math.max(last, one.lastSequence ?? 0), lastSequence);
      group = [];
      manifestBytes = reader.position;
    }
  } finally {
    closeSync(fd);
  }
  return {
    manifest,
    manifestBytes,
    families: [...families.values()].map(inOrder),
    lastSequence,
  };
};

interface Family {
  readonly id: number;
  readonly name: string;
  logNumber: number;
  readonly files: Map<number, TableFile>;
  readonly blobFiles: number[];
}

const readCurrent = (directory: string): string => {
  const path = join(directory, 'CURRENT');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw inaccessible(path, cause);
  }
};

const apply = (families: Map<number, Family>, edit: VersionEdit, manifest: string): void => {
  const { columnFamily: id, added } = edit;
  if (edit.comparator !== undefined && edit.comparator !== bytewise)
    throw unsupported(manifest, 0, `keys in the order of ${edit.comparator}`);
  if (edit.isDropped) {
    families.delete(id);
    return;
  }
  // The one with id 0 is always there.
  if (added !== undefined || (id === 0 && !families.has(0)))
    families.set(id, { id, name: added ?? 'default', logNumber: 0, files: new Map(), blobFiles: [] });
  const family = families.get(id);
  if (family === undefined) throw damaged(manifest, 0, `there is no column family ${id}`);
  family.logNumber = Math.max(family.logNumber, edit.logNumber ?? 0);
  for (const number of edit.deletedFiles) family.files.delete(number);
  for (const file of edit.newFiles) family.files.set(file.number, file);
  family.blobFiles.push(...edit.newBlobFiles);
};

/** Files of level 0 overlap: what was written last comes first. */
const inOrder = ({ files, blobFiles, ...family }: Family): ColumnFamilyVersion => {
  const tables = [...files.values()].sort((a, b) =>
    a.level !== b.level
      ? a.level - b.level
      : a.level === 0
        ? b.largestSequence - a.largestSequence || b.number - a.number
        : Buffer.compare(a.smallest, b.smallest),
  );
  // Blob files are removed when no table names one so old any more; no record tells that.
  const oldest = tables.reduce(
    (least, { oldestBlobFile = Infinity }) => Math.min(least, oldestBlobFile),
    Infinity,
  );
  return { ...family, files: tables, blobFiles: blobFiles.filter((number) => number >= oldest) };
};

const bytewise = 'leveldb.BytewiseComparator';

const damaged = (path: string, offset: number, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path} is damaged at ${offset}: ${reason}`, {
    context: { file: path, offset, reason },
    remedy: 'Restore the directory from a backup, or copy it again.',
  });

const unsupported = (path: string, offset: number, what: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${path} has ${what}, which is not known`, {
    context: { file: path, offset },
    remedy: 'Start Kvrocks on the directory and migrate over the network.',
  });
