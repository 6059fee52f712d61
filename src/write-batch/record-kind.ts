/**
 * Record tags of a serialized WriteBatch, as RocksDB writes them (dbformat.h, ValueType). The `…InCf` tags
 * carry a column family id before the key; a record of column family 0 is written with the short tag.
 */
export const RecordTag = {
  Delete: 0x00,
  Put: 0x01,
  Merge: 0x02,
  LogData: 0x03,
  DeleteInCf: 0x04,
  PutInCf: 0x05,
  MergeInCf: 0x06,
  SingleDelete: 0x07,
  SingleDeleteInCf: 0x08,
  BeginPrepare: 0x09,
  EndPrepare: 0x0a,
  Commit: 0x0b,
  Rollback: 0x0c,
  Noop: 0x0d,
  DeleteRangeInCf: 0x0e,
  DeleteRange: 0x0f,
  BlobIndexInCf: 0x10,
  BlobIndex: 0x11,
  BeginPersistedPrepare: 0x12,
  BeginUnprepare: 0x13,
  CommitWithTimestamp: 0x15,
  WideColumnEntity: 0x16,
  WideColumnEntityInCf: 0x17,
  TimedPutInCf: 0x19,
} as const;

/** What a record does, whichever column family it is in. Small integers, so that hot loops can switch on it. */
export const RecordKind = {
  /** key, value */
  Put: 0,
  /** key */
  Delete: 1,
  /** key; the key was put at most once since its last delete */
  SingleDelete: 2,
  /** key = begin, value = end (exclusive) */
  DeleteRange: 3,
  /** key, value = operand */
  Merge: 4,
  /** value = blob; consumes no sequence number */
  LogData: 5,
  /** key, value = reference into a blob file */
  BlobIndex: 6,
  /** key, value = serialized columns */
  WideColumnEntity: 7,
  /** key, value = value and write time */
  TimedPut: 8,
  /** two-phase commit marker (value = transaction id where it has one); consumes no sequence number */
  TransactionMarker: 9,
} as const;

export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Bytes before the records: sequence u64 LE, count u32 LE. */
export const batchHeaderBytes = 12;
