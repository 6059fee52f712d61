import { crc64 } from '../../../bytes/index.js';

/**
 * What DUMP answers and RESTORE takes, as in Redis:
 *
 *   | type u8 | value …      | RDB version u16 LE | CRC-64 of all before, u64 LE |
 *
 * The value is encoded as in an RDB file of that version: see rdb-writer and rdb-reader.
 */
export const RdbType = {
  string: 0,
  list: 1,
  set: 2,
  zsetOfTexts: 3,
  hash: 4,
  zset: 5,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  hashListpack: 16,
  zsetListpack: 17,
  listQuicklist2: 18,
  setListpack: 20,
} as const;

const footerBytes = 10;

/** The version that has the types which are written; Redis 4 and later read it. */
const writtenVersion = 8;

/** Joins the parts of type and value, with the footer behind them. */
export const sealDump = (parts: readonly Buffer[]): Buffer => {
  const payload = Buffer.concat([...parts, emptyFooter]);
  const footerAt = payload.length - footerBytes;
  payload.writeUInt16LE(writtenVersion, footerAt);
  payload.writeBigUInt64LE(crc64(payload, 0, footerAt + 2), footerAt + 2);
  return payload;
};

const emptyFooter = Buffer.alloc(footerBytes);

/**
 * Type and value; undefined when the checksum is wrong; one of 0 is none. Any version is taken: of a newer one, what has
 * a new form is refused by its type. Borrows.
 */
export const openDump = (payload: Buffer): Buffer | undefined => {
  const end = payload.length - footerBytes;
  if (end < 1) return undefined;
  const crc = payload.readBigUInt64LE(end + 2);
  return crc === 0n || crc === crc64(payload, 0, end + 2) ? payload.subarray(0, end) : undefined;
};
