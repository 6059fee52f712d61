import { readU32 } from '../bytes/index.js';

/**
 * What stands behind each user key of a table, so that the newest version of a key comes first:
 *
 *   | type u8 | sequence u56 LE |
 */
export interface KeyTrailer {
  readonly type: number;
  readonly sequence: number;
}

export const decodeTrailer = (bytes: Buffer, at: number): KeyTrailer => ({
  type: bytes[at],
  sequence:
    readU32(bytes, at + 1) + (bytes[at + 5] | (bytes[at + 6] << 8) | (bytes[at + 7] << 16)) * 0x1_0000_0000,
});

/** What an entry says of its key. */
export const EntryType = {
  deletion: 0x00,
  value: 0x01,
  singleDeletion: 0x07,
  rangeDeletion: 0x0f,
  /** The value lies in a blob file. */
  blobIndex: 0x11,
} as const;

/** The highest sequence number: the end of a deleted range, as a file's largest key. */
export const endOfRange = 2 ** 56 - 1;
