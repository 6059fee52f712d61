import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c, readU32, readU64, readVarint64, unmaskCrc } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import { inaccessible } from '../files/index.js';
import { decompress } from './decompress.js';

/**
 * The blob files of a store, which hold the large values of its tables (`enable_blob_files`):
 *
 *   | header, 30 bytes | record … | footer, 32 bytes |
 *
 *   record:  | key length u64 | value length u64 | expiry u64 | crc32c u32 | crc32c u32 | key | value |
 *
 * The first checksum is of the three numbers, the second of key and value; both are masked. An entry of a table names a
 * value by a blob index, whose offset is that of the value itself:
 *
 *   | 01 | file number varint64 | offset varint64 | length varint64 | compression u8 |
 *
 * The files stay open, so that they can be read although the store has removed them meanwhile.
 */
export class BlobFiles {
  readonly #files = new Map<number, BlobFile>();

  /** A file that cannot be opened may be one in which nothing counts any more: who reads from it is told. */
  open(directory: string, number: number): void {
    const path = join(directory, `${String(number).padStart(6, '0')}.blob`);
    try {
      const fd = openSync(path, 'r');
      this.#files.set(number, { path, fd, size: fstatSync(fd).size });
    } catch (cause) {
      this.#files.set(number, { path, failure: inaccessible(path, cause) });
    }
  }

  close(): void {
    for (const file of this.#files.values()) if ('fd' in file) closeSync(file.fd);
    this.#files.clear();
  }

  /**
   * The value that an entry of `table` names for a key. Owned.
   * @throws TailraceError `FILE_INACCESSIBLE` | `STORE_CORRUPT` | `SOURCE_UNSUPPORTED`
   */
  read(index: Buffer, key: Buffer, table: string): Buffer {
    const cursor = { bytes: index, offset: 1, end: index.length };
    if (index[0] !== plainBlob) throw unsupported(table, index[0]);
    const number = readVarint64(cursor);
    const offset = readVarint64(cursor);
    const length = readVarint64(cursor);
    if (number < 0 || offset < 0 || length < 0 || cursor.offset + 1 !== index.length)
      throw damaged(table, 0, 'a blob index that is none');
    const file = this.#files.get(number);
    if (file === undefined)
      throw damaged(table, 0, `it names blob file ${number}, which is no part of the store`);
    if ('failure' in file) throw file.failure;
    const start = offset - key.length - recordHeaderBytes;
    if (start < fileHeaderBytes || offset + length > file.size || length > largestValue)
      throw damaged(file.path, offset, `no record of ${length} bytes can be there`);
    const record = readRecord(file, start, recordHeaderBytes + key.length + length);
    if (readU64(record, 0) !== key.length || readU64(record, 8) !== length)
      throw damaged(file.path, start, 'the record has other lengths');
    if (crc32c(record, recordHeaderBytes) !== unmaskCrc(readU32(record, 28)))
      throw damaged(file.path, start, 'the checksum of the record does not fit');
    if (record.compare(key, 0, key.length, recordHeaderBytes, recordHeaderBytes + key.length) !== 0)
      throw damaged(file.path, start, 'the record is of another key');
    const value = record.subarray(recordHeaderBytes + key.length);
    return decompress(index[index.length - 1], value, `the value at ${offset} of ${file.path}`);
  }
}

type BlobFile = OpenBlobFile | { readonly path: string; readonly failure: TailraceError };

interface OpenBlobFile {
  readonly path: string;
  readonly fd: number;
  readonly size: number;
}

const readRecord = ({ path, fd }: OpenBlobFile, offset: number, length: number): Buffer => {
  const record = Buffer.allocUnsafe(length);
  let read: number;
  try {
    read = readSync(fd, record, 0, length, offset);
  } catch (cause) {
    throw inaccessible(path, cause);
  }
  if (read !== length) throw damaged(path, offset, 'the file is shorter than it should be');
  return record;
};

const plainBlob = 1;
const fileHeaderBytes = 30;
const recordHeaderBytes = 32;
/** No value of a Kvrocks is larger. */
const largestValue = 2 ** 30;

const damaged = (path: string, offset: number, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path} is damaged at ${offset}: ${reason}`, {
    context: { file: path, offset, reason },
    remedy: 'Restore the file from a backup or a replica.',
  });

const unsupported = (path: string, type: number): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${path} has blob indexes that are not known: type ${type}`, {
    context: { file: path, type },
    remedy: 'Start Kvrocks on the directory and migrate over the network.',
  });
