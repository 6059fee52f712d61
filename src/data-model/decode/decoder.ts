import { readU32BigEndian } from '../../bytes/index.js';
import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';
import type { Transaction } from '../change.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { type InternalKeyPlace, type KeyLayout, locateInternalKey } from '../encoding/keys.js';
import {
  isStringAt,
  type Metadata,
  readExpiryAt,
  readMetadataAt,
  singleValueHeaderBytes,
} from '../encoding/metadata.js';
import { isSingleValueType, typeOfNumber } from '../encoding/type-number.js';
import { ChangeCollector } from './change-collector.js';
import { decodeGroup } from './group-decoder.js';
import { absentKey, KeyMemory } from './key-memory.js';
import { NamespaceNames, shownDefault } from './namespace-names.js';
import { addRangeChanges, type RangeSurroundings } from './range-changes.js';
import { isExpireNoteAt, RecordGroup } from './record-group.js';
import { StringPutTransaction } from './string-put-transaction.js';
import type { Turns } from './turns.js';

/** What the log does not tell a decoder, and how much it may remember. */
export interface DecoderOptions {
  /** True for data of a Kvrocks with slot encoding (cluster mode), which the log does not tell; default false. */
  readonly hasSlots?: boolean;
  /** Bound of what is remembered of keys with sub-keys; default 32 MiB. */
  readonly memoryBytes?: number;
}

/**
 * Turns the log's batches into changes. One decoder reads one history, batch after batch; it remembers what it
 * has seen of keys (within bounds), so that it can tell, say, a push onto a list from a replaced element. After
 * a restart, a gap or a step back its memory is empty, and it has only the records and their LogData to go by;
 * what these leave open is `undecodable` with `DECODE_AMBIGUOUS`, never a guess.
 *
 * How: the records of a batch are cut into groups, one for each command's effect on one key (see RecordGroup).
 * The type comes from the metadata entry, else from memory, else from LogData.
 *
 * @example
 * const decoder = new Decoder();
 * for (const batch of batches) for (const change of decoder.decode(batch).changes) handle(change);
 */
export class Decoder {
  readonly #layout: KeyLayout;
  readonly #memory: KeyMemory;
  readonly #reader = new WriteBatchReader();
  readonly #group = new RecordGroup();
  readonly #place: InternalKeyPlace = { userKeyStart: 0, versionStart: 0, subKeyStart: 0 };
  #nextSequence = Number.NaN;
  /** Where the LogData before the records lies in the batch; of no length where there is none. */
  #noteStart = 0;
  #noteEnd = 0;
  /** Of the batch at hand. */
  #first = 0;
  #count = 0;
  #stringPut: StringPutTransaction | undefined;
  readonly #out = new ChangeCollector();
  readonly #namespaces = new NamespaceNames();
  readonly #surroundings: RangeSurroundings;

  constructor(options: DecoderOptions = {}) {
    this.#layout = { hasSlots: options.hasSlots ?? false };
    this.#memory = new KeyMemory(options.memoryBytes ?? 32 * 1024 * 1024);
    this.#surroundings = {
      layout: this.#layout,
      namespaces: this.#namespaces,
      memory: this.#memory,
      out: this.#out,
    };
  }

  /**
   * Decodes one serialized WriteBatch. The changes borrow from `batch`.
   * @throws TailraceError `BATCH_CORRUPT` | `BATCH_RECORD_UNKNOWN` with the offset; nothing of the batch counts.
   */
  decode(batch: Uint8Array): Transaction {
    const bytes = this.#begin(batch);
    while (this.#takeSome(Number.POSITIVE_INFINITY));
    return this.#end(bytes);
  }

  /**
   * As `decode`, for a large batch: yields to the event loop whenever `turns` says so. The decoder must not be used
   * otherwise until it resolves.
   */
  async decodeInTurns(batch: Uint8Array, turns: Pick<Turns, 'isOver' | 'next'>): Promise<Transaction> {
    const bytes = this.#begin(batch);
    while (this.#takeSome(recordsInTurn)) if (turns.isOver) await turns.next();
    return this.#end(bytes);
  }

  #begin(batch: Uint8Array): Buffer {
    const reader = this.#reader;
    const bytes = Buffer.isBuffer(batch)
      ? batch
      : Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
    reader.reset(bytes, 0, bytes.length);
    const { sequence: first, count } = reader;
    if (first !== this.#nextSequence) this.#memory.clear();
    this.#nextSequence = Number.NaN; // until this batch is done: a failure in its middle leaves half a memory
    this.#out.clear();
    this.#noteStart = this.#noteEnd = 0;
    this.#group.isOpen = false;
    this.#stringPut = undefined;
    this.#first = first;
    this.#count = count;
    return bytes;
  }

  /** Takes at most `most` records of the batch; false when there are no more. */
  #takeSome(most: number): boolean {
    const reader = this.#reader;
    for (let left = most; left > 0; left--) {
      if (!reader.next()) return false;
      if (this.#count === 1 && this.#isStringPut(reader)) this.#stringPut = this.#takeStringPut(reader);
      else this.#take(reader);
    }
    return true;
  }

  #end(bytes: Buffer): Transaction {
    const first = this.#first;
    const count = this.#count;
    const stringPut = this.#stringPut;
    this.#stringPut = undefined;
    this.#closeGroup();
    this.#nextSequence = first + count;
    // It may be long until the next batch, and this one may be very large.
    if (bytes.length > maxHeldBytes) {
      this.#reader.release();
      this.#group.release();
    }
    if (stringPut !== undefined) return stringPut;
    const { changes, undecodable } = this.#out.take();
    return { first, last: first + count - 1, count, bytes, changes, undecodable };
  }

  /** True for a plain SET, the most common batch: it needs neither a group nor memory. Hot: bench `redis-sink`. */
  #isStringPut(reader: WriteBatchReader): boolean {
    return (
      reader.kind === RecordKind.Put &&
      reader.columnFamily === ColumnFamily.metadata &&
      isStringAt(reader.bytes, reader.valueStart, reader.valueEnd) &&
      this.#userKeyStart(reader.bytes, reader.keyStart) <= reader.keyEnd &&
      !this.#isExpiry
    );
  }

  /** The one record of its batch. */
  #takeStringPut(reader: WriteBatchReader): StringPutTransaction {
    const { bytes, sequence, keyStart, keyEnd, valueStart, valueEnd } = reader;
    const expireMs = readExpiryAt(bytes, valueStart);
    if (!this.#memory.isEmpty) this.#memory.forget(bytes.toString('latin1', keyStart, keyEnd));
    return new StringPutTransaction(
      sequence,
      bytes,
      this.#namespaces.at(bytes, keyStart),
      this.#userKeyStart(bytes, keyStart),
      keyEnd,
      valueStart + singleValueHeaderBytes,
      valueEnd,
      expireMs === 0 ? undefined : expireMs,
    );
  }

  /** The LogData says that an expiry is set or removed, and nothing else. */
  get #isExpiry(): boolean {
    return isExpireNoteAt(this.#reader.bytes, this.#noteStart, this.#noteEnd);
  }

  #take(reader: WriteBatchReader): void {
    switch (reader.kind) {
      case RecordKind.Put:
        this.#takeRecord(reader, true);
        return;
      case RecordKind.Delete:
      case RecordKind.SingleDelete:
        this.#takeRecord(reader, false);
        return;
      case RecordKind.LogData:
        this.#closeGroup();
        this.#noteStart = reader.valueStart;
        this.#noteEnd = reader.valueEnd;
        return;
      case RecordKind.DeleteRange:
        this.#closeGroup();
        this.#takeRange(reader);
        return;
      case RecordKind.TransactionMarker:
        return;
      default:
        this.#closeGroup();
        this.#fail(
          reader,
          'a kind of record that Kvrocks does not write (merge, blob index, wide columns or timed put)',
        );
    }
  }

  #takeRecord(reader: WriteBatchReader, isPut: boolean): void {
    switch (reader.columnFamily) {
      case ColumnFamily.metadata:
        if (isPut) this.#takeMetadata(reader);
        else this.#takeKeyDelete(reader);
        return;
      case ColumnFamily.subKeys:
      case ColumnFamily.scores:
      case ColumnFamily.streams:
        this.#takeSubKey(reader, isPut);
        return;
      case ColumnFamily.pubsub:
      case ColumnFamily.propagate:
        this.#closeGroup();
        this.#takeReplicated(reader, isPut);
        return;
      default:
        this.#closeGroup();
        this.#fail(reader, `column family ${reader.columnFamily} holds no data that is known`);
    }
  }

  #takeMetadata(reader: WriteBatchReader): void {
    const { bytes, keyStart, keyEnd } = reader;
    const userKeyStart = this.#userKeyStart(bytes, keyStart);
    if (userKeyStart > keyEnd) {
      this.#fail(reader, 'the metadata key is too short');
      return;
    }
    const metadata = readMetadataAt(bytes, reader.valueStart, reader.valueEnd);
    if (metadata === undefined) {
      // Nothing can be told of the sub-keys before it either: they belong to the same key.
      if (this.#isOfOpenGroup(bytes, userKeyStart, keyEnd, keyStart) && this.#group.metadata === undefined)
        this.#group.isOpen = false;
      else this.#closeGroup();
      this.#memory.forget(bytes.toString('latin1', keyStart, keyEnd));
      const ns = this.#namespaces.at(bytes, keyStart);
      this.#fail(reader, unknownMetadata(bytes[reader.valueStart]), ns, bytes.subarray(userKeyStart, keyEnd));
      return;
    }
    const seq = reader.sequence + reader.index;
    if (isSingleValueType(metadata.type)) {
      this.#closeGroup();
      this.#addWholeValue(reader, metadata, userKeyStart, seq);
      return;
    }
    const group = this.#group;
    const versionHigh = readU32BigEndian(metadata.version, 0);
    const versionLow = readU32BigEndian(metadata.version, 4);
    const belongs =
      this.#isOfOpenGroup(bytes, userKeyStart, keyEnd, keyStart) &&
      group.metadata === undefined &&
      group.versionHigh === versionHigh &&
      group.versionLow === versionLow;
    if (!belongs) this.#startGroup(bytes, keyStart, userKeyStart, userKeyStart, keyEnd, seq);
    group.versionHigh = versionHigh;
    group.versionLow = versionLow;
    group.metadata = metadata;
    group.metadataSeq = seq;
    group.isMetadataFirst = !belongs;
    if (belongs || this.#isExpiry) this.#closeGroup();
  }

  /** Strings and JSON: the record is the whole value. Hot; measured by bench `decode`. */
  #addWholeValue(reader: WriteBatchReader, metadata: Metadata, userKeyStart: number, seq: number): void {
    const { bytes, keyStart, keyEnd } = reader;
    const ns = this.#namespaces.at(bytes, keyStart);
    const key = bytes.subarray(userKeyStart, keyEnd);
    if (!this.#memory.isEmpty) this.#memory.forget(bytes.toString('latin1', keyStart, keyEnd));
    const ttlAt = metadata.expireMs === 0 ? undefined : metadata.expireMs;
    let value = metadata.payload;
    const type = metadata.type === 'json' ? 'json' : 'string';
    if (type === 'json') {
      if (value[0] !== jsonTextFormat) {
        this.#fail(reader, 'a JSON document in another format than text (CBOR)', ns, key);
        return;
      }
      value = value.subarray(1);
    }
    const index = this.#out.next;
    if (!this.#isExpiry) this.#out.add({ seq, index, ns, key, op: 'put', type, value, ttlAt });
    else if (ttlAt === undefined) this.#out.add({ seq, index, ns, key, op: 'persist', type, value });
    else this.#out.add({ seq, index, ns, key, op: 'expire', type, ttlAt, value });
  }

  #takeKeyDelete(reader: WriteBatchReader): void {
    const { bytes, keyStart, keyEnd } = reader;
    const userKeyStart = this.#userKeyStart(bytes, keyStart);
    if (userKeyStart > keyEnd) {
      this.#fail(reader, 'the metadata key is too short');
      return;
    }
    // A command that removes the last elements deletes them and then the key: the delete of the key says it all.
    if (this.#isOfOpenGroup(bytes, userKeyStart, keyEnd, keyStart) && this.#group.metadata === undefined)
      this.#group.isOpen = false;
    else this.#closeGroup();
    const seq = reader.sequence + reader.index;
    const ns = this.#namespaces.at(bytes, keyStart);
    const key = bytes.subarray(userKeyStart, keyEnd);
    this.#out.add({ seq, index: this.#out.next, ns, key, op: 'delete', type: 'key' });
    if (this.#memory.isEmpty) return;
    const memoryKey = bytes.toString('latin1', keyStart, keyEnd);
    if (this.#memory.get(memoryKey) !== undefined) this.#memory.set(memoryKey, absentKey);
  }

  #takeSubKey(reader: WriteBatchReader, isPut: boolean): void {
    const { bytes, keyStart, keyEnd } = reader;
    const place = this.#place;
    if (!locateInternalKey(bytes, keyStart, keyEnd, this.#layout, place)) {
      this.#closeGroup();
      this.#fail(reader, 'the key of a sub-key is too short');
      return;
    }
    const { userKeyStart, versionStart, subKeyStart } = place;
    const versionHigh = readU32BigEndian(bytes, versionStart);
    const versionLow = readU32BigEndian(bytes, versionStart + 4);
    const group = this.#group;
    const seq = reader.sequence + reader.index;
    // In a transaction, a key that RENAME has just written whole may be changed at once by a command without LogData.
    const isOfNextCommand = !isPut && group.isMetadataFirst && group.isComplete;
    const belongs =
      !isOfNextCommand &&
      this.#isOfOpenGroup(bytes, userKeyStart, versionStart, keyStart) &&
      group.versionHigh === versionHigh &&
      group.versionLow === versionLow;
    if (!belongs) {
      this.#startGroup(bytes, keyStart, userKeyStart - 4, userKeyStart, versionStart, seq);
      group.versionHigh = versionHigh;
      group.versionLow = versionLow;
    }
    group.add(
      isPut,
      reader.columnFamily,
      seq,
      bytes.subarray(subKeyStart, keyEnd),
      isPut ? reader.value() : noBytes,
    );
  }

  #takeReplicated(reader: WriteBatchReader, isPut: boolean): void {
    const seq = reader.sequence + reader.index;
    const index = this.#out.next;
    const ns = shownDefault;
    const key = reader.key();
    if (reader.columnFamily === ColumnFamily.propagate) {
      const value = isPut ? reader.value() : undefined;
      this.#out.add({ seq, index, ns, key, op: 'propagate', type: 'script', value, keyEnd: undefined });
    } else if (isPut)
      this.#out.add({ seq, index, ns, op: 'publish', type: 'pubsub', channel: key, value: reader.value() });
    // A delete among published messages only frees their space.
  }

  #takeRange(reader: WriteBatchReader): void {
    const failure = addRangeChanges(reader, this.#surroundings);
    if (failure !== undefined) this.#fail(reader, failure);
  }

  #userKeyStart(bytes: Buffer, keyStart: number): number {
    return keyStart + 1 + bytes[keyStart] + (this.#layout.hasSlots ? 2 : 0);
  }

  #isOfOpenGroup(bytes: Buffer, userKeyStart: number, userKeyEnd: number, keyStart: number): boolean {
    const { isOpen, key, ns } = this.#group;
    if (!isOpen || key.length !== userKeyEnd - userKeyStart) return false;
    for (let at = 0; at < key.length; at++) if (key[at] !== bytes[userKeyStart + at]) return false;
    return this.#namespaces.at(bytes, keyStart) === ns;
  }

  #startGroup(
    bytes: Buffer,
    keyStart: number,
    prefixEnd: number,
    userKeyStart: number,
    userKeyEnd: number,
    seq: number,
  ): void {
    this.#closeGroup();
    const ns = this.#namespaces.at(bytes, keyStart);
    const prefix = this.#layout.hasSlots
      ? bytes.toString('latin1', keyStart, prefixEnd)
      : this.#namespaces.prefixText;
    const memoryKey = prefix + bytes.toString('latin1', userKeyStart, userKeyEnd);
    const note = this.#noteEnd > 0 ? bytes.subarray(this.#noteStart, this.#noteEnd) : undefined;
    this.#group.start(ns, bytes.subarray(userKeyStart, userKeyEnd), memoryKey, seq, note);
  }

  #fail(reader: WriteBatchReader, reason: string, ns?: string, key?: Buffer): void {
    const seq = reader.sequence + Math.max(0, reader.index);
    this.#out.fail('DECODE_UNSUPPORTED', reason, seq, ns, key);
  }

  #closeGroup(): void {
    const group = this.#group;
    if (!group.isOpen) return;
    group.isOpen = false;
    decodeGroup(group, this.#memory, this.#out);
  }
}

/** Says why a metadata value with these flags cannot be read. */
const unknownMetadata = (flags: number | undefined): string =>
  flags === undefined || typeOfNumber(flags & 0x0f) !== undefined
    ? 'the metadata value has no known form'
    : `the metadata value is of type ${flags & 0x0f}, which is not known`;

const jsonTextFormat = 0;
const noBytes = Buffer.alloc(0);
/** Records that are taken between two looks at the clock. */
const recordsInTurn = 1_000;
/** A larger batch, in bytes, is released once it has been decoded. */
const maxHeldBytes = 1024 * 1024;
