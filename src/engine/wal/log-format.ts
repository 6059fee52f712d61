/**
 * RocksDB's log file format (RocksDB db/log_format.h). A file is a sequence of 32 KiB blocks; a physical record
 * never crosses a block; fewer than 7 bytes left in a block are zeros.
 *
 *   0         4        6      7
 *   | crc32c  | length | type | payload …              legacy header
 *     u32 LE    u16 LE   u8
 *   0         4        6      7             11
 *   | crc32c  | length | type | log number  | payload …   recyclable header
 *                               u32 LE
 *
 * `crc32c` is masked and covers everything from `type` to the end of the payload.
 */
export const blockBytes = 32_768;
export const headerBytes = 7;
export const recyclableHeaderBytes = 11;

export const LogRecordType = {
  /** A preallocated area: no data from here to the end of the block. */
  Zero: 0,
  Full: 1,
  First: 2,
  Middle: 3,
  Last: 4,
  RecyclableFull: 5,
  RecyclableFirst: 6,
  RecyclableMiddle: 7,
  RecyclableLast: 8,
  /** Before all others, where the log is compressed: how, in four bytes. */
  SetCompression: 9,
  UserTimestampSizes: 10,
  RecyclableUserTimestampSizes: 11,
  PredecessorInfo: 130,
  RecyclablePredecessorInfo: 131,
} as const;

/** A reader passes over record types that it does not know when they have this bit. */
export const ignorableTypeBit = 0x80;
