import { prefixSuccessor, readU32BigEndian } from '../../bytes/index.js';
import { RecordKind, WriteBatchReader } from '../../write-batch/index.js';
import type { Change, Transaction } from '../change.js';
import { ColumnFamily } from '../encoding/column-family.js';
import {
  defaultNamespace,
  type InternalKeyPlace,
  type KeyLayout,
  locateInternalKey,
} from '../encoding/keys.js';
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
import { isExpireNoteAt, RecordGroup } from './record-group.js';
import { StringPutTransaction } from './string-put-transaction.js';

export interface DecoderOptions {
  /** True for data of a Kvrocks with slot encoding (cluster mode); default false. Nothing in the log tells. */
  readonly hasSlots?: boolean;
  /** Bound of what is remembered of keys with sub-keys; default 32 MiB. */
  readonly memoryBytes?: number;
}

/**
 * Turns the log's batches into changes. One decoder reads one history, batch after batch; it remembers what it
 * has seen of keys (within bounds), so that it can tell, say, a push on a list from an element replaced. After
 * a restart, a gap or a step back its memory is empty, and it tells the same from the records and their
 * LogData; what it then cannot tell is `undecodable` with `DECODE_AMBIGUOUS`, never a guess.
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
  readonly #out = new ChangeCollector();
  // The namespace read last: nearly all keys of a batch have the same.
  #namespaceBytes: Buffer = Buffer.from(defaultNamespace);
  #namespace = shownNamespace(defaultNamespace);
  /** What its keys start with, as it stands in the decoder's memory. */
  #prefixText = prefixTextOf(this.#namespaceBytes);

  constructor(options: DecoderOptions = {}) {
    this.#layout = { hasSlots: options.hasSlots ?? false };
    this.#memory = new KeyMemory(options.memoryBytes ?? 32 * 1024 * 1024);
  }

  /**
   * Decodes one serialized WriteBatch. The changes borrow from `batch`.
   * @throws TailraceError `BATCH_CORRUPT` | `BATCH_RECORD_UNKNOWN` with the offset; nothing of the batch counts.
   */
  decode(batch: Uint8Array): Transaction {
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
    let stringPut: StringPutTransaction | undefined;
    while (reader.next()) {
      if (count === 1 && this.#isStringPut(reader)) stringPut = this.#takeStringPut(reader);
      else this.#take(reader);
    }
    this.#closeGroup();
    this.#nextSequence = first + count;
    if (stringPut !== undefined) return stringPut;
    const { changes, undecodable } = this.#out.take();
    return { first, last: first + count - 1, count, bytes, changes, undecodable };
  }

  /** A SET, of which there is nothing to find out. Hot: bench `redis-sink`. */
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
      this.#namespaceAt(bytes, keyStart),
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
      // The sub-keys before it are of the same key, of which nothing can be told.
      if (this.#isOfOpenGroup(bytes, userKeyStart, keyEnd, keyStart) && this.#group.metadata === undefined)
        this.#group.isOpen = false;
      else this.#closeGroup();
      this.#memory.forget(bytes.toString('latin1', keyStart, keyEnd));
      const ns = this.#namespaceAt(bytes, keyStart);
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
    const ns = this.#namespaceAt(bytes, keyStart);
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
    // A command that takes the last elements deletes them and then the key: the key says it all.
    if (this.#isOfOpenGroup(bytes, userKeyStart, keyEnd, keyStart) && this.#group.metadata === undefined)
      this.#group.isOpen = false;
    else this.#closeGroup();
    const seq = reader.sequence + reader.index;
    const ns = this.#namespaceAt(bytes, keyStart);
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
    // In a transaction, what RENAME has brought whole may be removed again at once, by a command without LogData.
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
    const ns = shownNamespace(defaultNamespace);
    const key = reader.key();
    if (reader.columnFamily === ColumnFamily.propagate) {
      const value = isPut ? reader.value() : undefined;
      this.#out.add({ seq, index, ns, key, op: 'propagate', type: 'script', value, keyEnd: undefined });
    } else if (isPut)
      this.#out.add({ seq, index, ns, op: 'publish', type: 'pubsub', channel: key, value: reader.value() });
    // A delete among published messages only frees their space.
  }

  #takeRange(reader: WriteBatchReader): void {
    const seq = reader.sequence + reader.index;
    const index = this.#out.next;
    const begin = reader.key();
    const end = reader.value();
    if (reader.columnFamily === ColumnFamily.propagate) {
      const ns = shownNamespace(defaultNamespace);
      const script = { op: 'propagate', type: 'script', value: undefined } as const;
      this.#out.add({ seq, index, ns, key: begin, keyEnd: end, ...script });
      return;
    }
    if (reader.columnFamily === ColumnFamily.pubsub) return;
    if (reader.columnFamily !== ColumnFamily.metadata) {
      this.#takeElementsRange(reader, seq, index);
      return;
    }
    const cleared = this.#clearedBy(begin, end);
    if (cleared === undefined) {
      this.#fail(reader, 'a range of keys is deleted that is neither a namespace, a slot nor all keys');
      return;
    }
    this.#memory.clear();
    this.#out.add({ seq, index, ...cleared });
  }

  /**
   * All elements of one key, whatever its version: said before a key is written anew where another may have stood. Once for
   * each column family that may hold some; told once.
   */
  #takeElementsRange(reader: WriteBatchReader, seq: number, index: number): void {
    const [begin, end] = [reader.key(), reader.value()];
    const keyStart = 1 + begin[0] + (this.#layout.hasSlots ? 2 : 0) + 4;
    const isOneKey =
      begin.length >= keyStart &&
      begin.readUInt32BE(keyStart - 4) === begin.length - keyStart &&
      prefixSuccessor(begin)?.equals(end) === true;
    if (!isOneKey) {
      this.#fail(reader, 'a range of sub-keys is deleted');
      return;
    }
    if (reader.columnFamily !== ColumnFamily.subKeys) return;
    this.#memory.clear();
    const ns = this.#namespaceAt(begin, 0);
    this.#out.add({ seq, index, ns, key: begin.subarray(keyStart), op: 'delete', type: 'key' });
  }

  /**
   * FLUSHDB deletes from a namespace's prefix to the prefix's successor, FLUSHALL from the first key of the
   * store to behind its last one; a slot that moved away is deleted by its prefix.
   */
  #clearedBy(
    begin: Buffer,
    end: Buffer,
  ): Pick<Extract<Change, { op: 'clear' }>, 'op' | 'type' | 'ns' | 'slot'> | undefined {
    const prefixLength = begin.length === 0 ? 1 : 1 + begin[0];
    const isPrefixRange = prefixSuccessor(begin)?.equals(end) ?? false;
    if (isPrefixRange && begin.length === prefixLength)
      return { op: 'clear', type: 'namespace', ns: this.#namespaceAt(begin, 0), slot: undefined };
    if (this.#layout.hasSlots && begin.length === prefixLength + 2 && isSlotRange(begin, end, prefixLength))
      return {
        op: 'clear',
        type: 'slot',
        ns: this.#namespaceAt(begin, 0),
        slot: begin.readUInt16BE(prefixLength),
      };
    for (const memoryKey of this.#memory.existing()) {
      const key = Buffer.from(memoryKey, 'latin1');
      if (begin.compare(key) > 0 || end.compare(key) <= 0) return undefined;
    }
    return { op: 'clear', type: 'all', ns: '', slot: undefined };
  }

  #userKeyStart(bytes: Buffer, keyStart: number): number {
    return keyStart + 1 + bytes[keyStart] + (this.#layout.hasSlots ? 2 : 0);
  }

  #namespaceAt(bytes: Buffer, keyStart: number): string {
    const length = bytes[keyStart];
    const known = this.#namespaceBytes;
    let isKnown = known.length === length;
    for (let at = 0; isKnown && at < length; at++) isKnown = bytes[keyStart + 1 + at] === known[at];
    if (!isKnown) {
      this.#namespaceBytes = Buffer.from(bytes.subarray(keyStart + 1, keyStart + 1 + length));
      this.#namespace = shownNamespace(this.#namespaceBytes.toString());
      this.#prefixText = prefixTextOf(this.#namespaceBytes);
    }
    return this.#namespace;
  }

  #isOfOpenGroup(bytes: Buffer, userKeyStart: number, userKeyEnd: number, keyStart: number): boolean {
    const { isOpen, key, ns } = this.#group;
    if (!isOpen || key.length !== userKeyEnd - userKeyStart) return false;
    for (let at = 0; at < key.length; at++) if (key[at] !== bytes[userKeyStart + at]) return false;
    return this.#namespaceAt(bytes, keyStart) === ns;
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
    const ns = this.#namespaceAt(bytes, keyStart);
    const prefix = this.#layout.hasSlots ? bytes.toString('latin1', keyStart, prefixEnd) : this.#prefixText;
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

/** `default` is what users call the namespace that the store calls `__namespace`. */
const shownNamespace = (name: string): string => (name === defaultNamespace ? 'default' : name);

const prefixTextOf = (namespace: Buffer): string =>
  String.fromCharCode(namespace.length) + namespace.toString('latin1');

const isSlotRange = (begin: Buffer, end: Buffer, slotAt: number): boolean => {
  const next = Buffer.from(begin);
  const slot = begin.readUInt16BE(slotAt);
  if (slot === 0xffff) return false;
  next.writeUInt16BE(slot + 1, slotAt);
  return next.equals(end);
};

/** The flags of a metadata value that cannot be read: what type it has, if any. */
const unknownMetadata = (flags: number | undefined): string =>
  flags === undefined || typeOfNumber(flags & 0x0f) !== undefined
    ? 'the metadata value has no known form'
    : `the metadata value is of type ${flags & 0x0f}, which is not known`;

const jsonTextFormat = 0;
const noBytes = Buffer.alloc(0);
