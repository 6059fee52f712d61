import { readVarint32, readVarint64 } from '../bytes/index.js';
import { decodeTrailer, EntryType, endOfRange } from './internal-key.js';
import type { TableFile } from './store-version.js';

/** One change of which files make up a store, as far as it matters for reading it. */
export interface VersionEdit {
  columnFamily: number;
  /** The name of a column family that begins here. */
  added: string | undefined;
  isDropped: boolean;
  comparator: string | undefined;
  logNumber: number | undefined;
  lastSequence: number | undefined;
  /** Edits that belong to it and still follow: they hold together or not at all. */
  remainingInGroup: number;
  readonly newFiles: TableFile[];
  readonly deletedFiles: number[];
  readonly newBlobFiles: number[];
}

/**
 * Decodes a record of the MANIFEST: fields, each behind its tag (varint32). Numbers are varints, byte strings have their
 * length before them; tags with bit 13 carry a byte string and may be passed over.
 * @returns a text that says what is not understood
 */
export const decodeVersionEdit = (bytes: Buffer): VersionEdit | string => {
  const edit: VersionEdit = {
    columnFamily: 0,
    added: undefined,
    isDropped: false,
    comparator: undefined,
    logNumber: undefined,
    lastSequence: undefined,
    remainingInGroup: 0,
    newFiles: [],
    deletedFiles: [],
    newBlobFiles: [],
  };
  const fields = new Fields(bytes);
  while (fields.left > 0) {
    const unknown = readField(fields.number(), fields, edit);
    if (unknown !== undefined) return unknown;
    if (fields.isBroken) return 'a field that ends too early';
  }
  return edit;
};

/** Returns what is not understood. */
const readField = (tag: number, fields: Fields, edit: VersionEdit): string | undefined => {
  switch (tag) {
    case Tag.comparator:
      edit.comparator = fields.bytes().toString('latin1');
      return;
    case Tag.logNumber:
      edit.logNumber = fields.number();
      return;
    case Tag.lastSequence:
      edit.lastSequence = fields.number();
      return;
    case Tag.compactCursor:
      fields.number();
      fields.bytes();
      return;
    case Tag.deletedFile:
      fields.number();
      edit.deletedFiles.push(fields.number());
      return;
    case Tag.newFile4: {
      const file = readNewFile(fields);
      if (typeof file === 'string') return file;
      edit.newFiles.push(file);
      return;
    }
    case Tag.blobFileAddition:
      edit.newBlobFiles.push(fields.number());
      for (let numbers = 0; numbers < 2; numbers++) fields.number(); // of values, of bytes
      for (let texts = 0; texts < 2; texts++) fields.bytes(); // how a checksum was made, and the checksum
      return readEndOfBlobFile(fields);
    case Tag.blobFileGarbage:
      // What no table names any more is not read, whatever this says.
      for (let numbers = 0; numbers < 3; numbers++) fields.number(); // of the file, of values, of bytes
      return readEndOfBlobFile(fields);
    case Tag.columnFamily:
      edit.columnFamily = fields.number();
      return;
    case Tag.columnFamilyAdd:
      edit.added = fields.bytes().toString();
      return;
    case Tag.columnFamilyDrop:
      edit.isDropped = true;
      return;
    case Tag.inAtomicGroup:
      edit.remainingInGroup = fields.number();
      return;
    case Tag.nextFileNumber:
    case Tag.prevLogNumber:
    case Tag.minLogNumberToKeep:
    case Tag.maxColumnFamily:
      fields.number();
      return;
    default:
      if ((tag & ignorableTag) === 0) return `a field with tag ${tag}`;
      fields.bytes();
  }
  return;
};

/** Fields that were added to the form later: each has a tag and its length before it. */
const readEndOfBlobFile = (fields: Fields): string | undefined => {
  for (let tag = fields.number(); tag !== 0 && !fields.isBroken; tag = fields.number()) {
    if ((tag & requiredFileTag) !== 0) return `a blob file with tag ${tag}`;
    fields.bytes();
  }
  return;
};

const readNewFile = (fields: Fields): TableFile | string => {
  const level = fields.number();
  const number = fields.number();
  const size = fields.number();
  const smallest = fields.bytes();
  const largest = fields.bytes();
  fields.number(); // smallest sequence number
  const largestSequence = fields.number();
  let oldestBlobFile: number | undefined;
  for (;;) {
    const tag = fields.number();
    if (fields.isBroken || smallest.length < 8 || largest.length < 8) return 'a file that ends too early';
    if (tag === FileTag.terminate) break;
    const value = fields.bytes();
    if (tag === FileTag.oldestBlobFile) oldestBlobFile = new Fields(value).number();
    if (tag === FileTag.pathId && value[0] !== 0) return 'a file in another directory';
    if (tag !== FileTag.pathId && (tag & requiredFileTag) !== 0) return `a file with tag ${tag}`;
  }
  const trailer = decodeTrailer(largest, largest.length - 8);
  return {
    number,
    size,
    level,
    smallest: Buffer.from(smallest.subarray(0, -8)),
    largest: Buffer.from(largest.subarray(0, -8)),
    isLargestExclusive: trailer.type === EntryType.rangeDeletion && trailer.sequence === endOfRange,
    largestSequence,
    oldestBlobFile,
  };
};

/** Reads the fields of a record one after the other; what is missing makes it broken, and reads as nothing. */
class Fields {
  isBroken = false;
  readonly #cursor: { bytes: Buffer; offset: number; end: number };

  constructor(bytes: Buffer) {
    this.#cursor = { bytes, offset: 0, end: bytes.length };
  }

  get left(): number {
    return this.isBroken ? 0 : this.#cursor.end - this.#cursor.offset;
  }

  number(): number {
    const value = readVarint64(this.#cursor);
    if (value < 0) this.isBroken = true;
    return value;
  }

  bytes(): Buffer {
    const cursor = this.#cursor;
    const length = readVarint32(cursor);
    if (length < 0 || cursor.offset + length > cursor.end) {
      this.isBroken = true;
      return Buffer.alloc(0);
    }
    cursor.offset += length;
    return cursor.bytes.subarray(cursor.offset - length, cursor.offset);
  }
}

const Tag = {
  comparator: 1,
  logNumber: 2,
  nextFileNumber: 3,
  lastSequence: 4,
  compactCursor: 5,
  deletedFile: 6,
  prevLogNumber: 9,
  minLogNumberToKeep: 10,
  newFile4: 103,
  columnFamily: 200,
  columnFamilyAdd: 201,
  columnFamilyDrop: 202,
  maxColumnFamily: 203,
  inAtomicGroup: 300,
  blobFileAddition: 400,
  blobFileGarbage: 401,
} as const;

const ignorableTag = 1 << 13;
const FileTag = { terminate: 1, oldestBlobFile: 4, pathId: 65 } as const;
const requiredFileTag = 1 << 6;
