import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { codeOf, TailraceError } from '../errors/index.js';
import { type Files, inaccessible, replaceFile } from '../files/index.js';
import { otherFormat } from './other-format.js';

/** What tells one store from every other, and which version of the layout its files have. */
export interface StoreIdentity {
  readonly id: string;
  readonly format: number;
  /** Of the store that this one was made of, by a restore or an export. */
  readonly source?: string;
}

/** The layout that this version writes and reads. */
const storeFormat = 1;

/**
 * Reads the file `IDENTITY`, or makes it in a directory that holds no store yet: the identity in JSON, and its `checksum`,
 * which older versions did not write.
 * @throws TailraceError `STORE_CORRUPT` | `STORE_FORMAT_UNKNOWN` | `FILE_INACCESSIBLE`
 */
export const openIdentity = async (
  directory: string,
  files: Files,
  mayCreate: boolean,
): Promise<StoreIdentity> => {
  const path = identityPath(directory);
  const identity = readIdentity(path);
  if (identity !== undefined) return identity;
  if (!mayCreate) throw invalid(path, 'the directory holds no store', 'Name the directory of a store.');
  return writeIdentity(directory, files, randomUUID());
};

/**
 * Looks at an existing directory before anything in it is touched: it must be a store, or hold nothing of one.
 * @throws TailraceError `STORE_CORRUPT` | `STORE_FORMAT_UNKNOWN` | `FILE_INACCESSIBLE`
 */
export const requireOwnDirectory = (directory: string): void => {
  const path = identityPath(directory);
  if (readIdentity(path) !== undefined) return;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (cause) {
    throw inaccessible(directory, cause);
  }
  const found = names.find((name) => fileOfStore.test(name));
  if (found !== undefined)
    throw invalid(
      path,
      `it is missing, although there is ${found}: the directory was copied in part, or belongs to another program`,
      'Copy all files of the store, this one too, or name a directory that is empty or not there yet.',
    );
};

/** Files that our own stores have, and those of RocksDB and LevelDB. */
const fileOfStore = /^(data|CHECKPOINTS|SEALS|SLOTS|CURRENT|MANIFEST-\d+|\d+\.(log|sst|ldb))$/;

/** Makes a directory a store. */
export const writeIdentity = async (
  directory: string,
  files: Files,
  id: string,
  source?: string,
): Promise<StoreIdentity> => {
  const path = identityPath(directory);
  const identity: StoreIdentity = { id, format: storeFormat, ...(source !== undefined && { source }) };
  try {
    await replaceFile(
      files,
      directory,
      path,
      Buffer.from(`${JSON.stringify({ ...identity, checksum: checksumOf(identity) })}\n`),
    );
  } catch (cause) {
    throw inaccessible(path, cause);
  }
  return identity;
};

const identityPath = (directory: string): string => join(directory, 'IDENTITY');

/** Undefined when there is no such file. */
const readIdentity = (path: string): StoreIdentity | undefined => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw cause instanceof SyntaxError ? invalid(path, 'it is no JSON') : inaccessible(path, cause);
  }
  if (typeof parsed !== 'object' || parsed === null || !('id' in parsed) || !('format' in parsed))
    throw invalid(path, 'it names no store');
  const { checksum, ...identity } = { checksum: undefined, ...parsed };
  const { id, format } = identity;
  if (typeof id !== 'string' || typeof format !== 'number') throw invalid(path, 'it names no store');
  if (format !== storeFormat) throw otherFormat(path, format, storeFormat);
  if (checksum !== undefined && checksum !== checksumOf(identity))
    throw invalid(path, 'its checksum is wrong', 'Restore the file from a backup of the store.');
  const source =
    'source' in identity && typeof identity.source === 'string' ? { source: identity.source } : {};
  return { id, format, ...source };
};

const checksumOf = (identity: object): string => crc32(JSON.stringify(identity)).toString(16);

const invalid = (path: string, reason: string, remedy = checkDirectory): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path}: ${reason}`, { context: { file: path, reason }, remedy });

const checkDirectory =
  'Check that this is the directory of a store, and that this version of tailrace is not older than it.';
