export {
  type Change,
  changeOps,
  changeTypes,
  type Transaction,
  type Undecodable,
  type ValueType,
} from './change.js';
export { countChanges } from './count-changes.js';
export { Decoder, type DecoderOptions } from './decode/decoder.js';
export { StringPutTransaction } from './decode/string-put-transaction.js';
export { Turns } from './decode/turns.js';
export { reverseBits } from './encoding/bitmap-encoding.js';
export { ColumnFamily } from './encoding/column-family.js';
export { carrySlots, slotCount, slotOf } from './encoding/hash-slot.js';
export { defaultNamespace, encodeMetadataKey, encodeSubKeyPrefix, namespacePrefix } from './encoding/keys.js';
export { isAlive, readMetadata } from './encoding/metadata.js';
export { appendStringPut } from './encoding/string-put.js';
export { valueTypes } from './encoding/type-number.js';
export { EventEncoder, type EventSource } from './event/event-encoder.js';
export { type ParsedEvent, parseEvent } from './event/event-parser.js';
export { eachExpiry, expiryOf, isPast } from './expiry-of.js';
export { type GarbageRange, garbageOfExpiry, garbageOfSubKeys } from './garbage.js';
export { appendRecordsAfter, appendRecordsOf } from './key-records/append-records.js';
export { cutRecords, type RecordsRun } from './key-records/cut-records.js';
export { KeyRecordsWriter } from './key-records/key-records-writer.js';
export { WholeKeys } from './key-records/whole-keys.js';
export { metadataKeysOf } from './metadata-keys.js';
export { appendRawRecords, rawCursorAt } from './raw-records.js';
export type { RedisCommand } from './redis/command-target.js';
export { appendRestoreProbe } from './redis/hash-dump.js';
export { CommandEncoder, toRedisCommands } from './redis/redis-commands.js';
export type { RedisMapping, UnsupportedChange } from './redis/redis-mapping.js';
export { WholeKeysQuestion } from './redis/whole-keys-question.js';
export { storedBytes } from './stored-bytes.js';
export { streamBeginCommands, streamStateCommands } from './stream-state-commands.js';
export { withChanges } from './with-changes.js';
export { keyName, type WrittenKeys, writtenKeys } from './written-keys.js';
