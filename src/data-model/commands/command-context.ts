import type { DataReader, ValuePlace } from '../../engine/index.js';
import { WriteBatchBuilder } from '../../write-batch/index.js';
import type { ValueType } from '../change.js';
import { ColumnFamily } from '../encoding/column-family.js';
import { defaultNamespace, encodeSubKeyPrefix, namespacePrefix } from '../encoding/keys.js';
import { isAlive, type Metadata, metadataHeader, readMetadata } from '../encoding/metadata.js';
import { isSingleValueType } from '../encoding/type-number.js';
import { CursorTable } from './cursor-table.js';
import { KnownKey, KnownKeys } from './known-keys.js';
import { type ErrorReply, refusal, type SliceReply } from './reply.js';
import { ScratchKey } from './scratch-key.js';
import { VersionGenerator } from './version-generator.js';

/** What all contexts of one store share. */
export interface CommandServices {
  /** ms since the epoch */
  readonly nowMs: () => number;
  /** in [0, 1) */
  readonly random: () => number;
  readonly versions: VersionGenerator;
  readonly cursors: CursorTable;
  readonly knownKeys: KnownKeys;
}

/** What commands need of the outside, with a clock and a chance that a test can own. */
export const commandServices = (
  nowMs: () => number = Date.now,
  random: () => number = Math.random,
): CommandServices => ({
  nowMs,
  random,
  versions: new VersionGenerator(nowMs),
  cursors: new CursorTable(),
  knownKeys: new KnownKeys(),
});

const noPayload = Buffer.alloc(0);
const largeBatchBytes = 1024 * 1024;

/**
 * What a command works on: it reads from `reader` and appends the records of its change to `batch`; it never
 * touches the store itself. Who runs a command commits the batch when its `count` is above 0 (LogData alone
 * changes nothing), and drops it when the command answers an error or throws.
 *
 * Every change of a metadata entry goes through the methods here, so that what is known of hot keys stays true.
 *
 * @example
 * context.begin();
 * const reply = command.run(context, args);
 * if (context.batch.count > 0 && !(reply instanceof ErrorReply)) {
 *   store.commit(context.batch.finish());
 *   context.settle();
 * }
 */
export class CommandContext {
  readonly reader: DataReader;
  readonly batch: WriteBatchBuilder;
  readonly services: CommandServices;
  readonly namespace: string;
  /** `ns_len | namespace`, the start of every key of the namespace. */
  readonly prefix: Buffer;
  readonly scratchKey = new ScratchKey();
  /** Undefined where the reader is not the store itself, but an older or a future state of it. */
  readonly #knownKeys: KnownKeys | undefined;
  #lastUserKey: Uint8Array | undefined;
  #lastMetadataKey: Buffer = noPayload;
  readonly #metadataKeys = new ScratchKey();
  /** Where `locate` has found a value. It may be answered as it is. */
  readonly place: SliceReply & ValuePlace = { kind: 'slice', bytes: noPayload, start: 0, end: 0 };
  /** The known key that the command changes, and to what. */
  #changed: KnownKey | undefined;
  #changedExpireMs = 0;
  #changedSize = 0;
  #changedPayload: Uint8Array = noPayload;

  constructor(
    reader: DataReader,
    services: CommandServices,
    namespace = defaultNamespace,
    batch = new WriteBatchBuilder(),
  ) {
    this.reader = reader;
    this.batch = batch;
    this.services = services;
    this.namespace = namespace;
    this.prefix = namespacePrefix(namespace);
    this.#knownKeys = 'commit' in reader ? services.knownKeys : undefined;
  }

  /** Starts a command: nothing is in the batch. */
  begin(): void {
    this.batch.clear();
    this.#changed = undefined;
    this.#lastUserKey = undefined; // the next command may have another key in the same memory
  }

  /** The store has just committed the batch of the command. */
  settle(): void {
    this.#changed?.change(this.#changedExpireMs, this.#changedSize, this.#changedPayload);
    this.#changed = undefined;
    const { sequence } = this.reader;
    this.#knownKeys?.advance(sequence - this.batch.count, sequence);
    if (this.batch.byteLength > largeBatchBytes) this.batch.clear(); // the next command may be long in coming
  }

  /** The store has just committed a batch that changes no key: what is known of keys stays true. */
  settleOther(count: number): void {
    const { sequence } = this.reader;
    this.#knownKeys?.advance(sequence - count, sequence);
  }

  nowMs(): number {
    return this.services.nowMs();
  }

  /** Most commands look a key up and then write it: the second time its metadata key is there. Borrowed until the next. */
  metadataKey(userKey: Uint8Array): Buffer {
    if (userKey !== this.#lastUserKey) {
      this.#lastMetadataKey = this.#metadataKeys.join(this.prefix, userKey);
      this.#lastUserKey = userKey;
    }
    return this.#lastMetadataKey;
  }

  /** What every sub-key of this incarnation of the key starts with. Never to be written. */
  subKeyPrefix(userKey: Uint8Array, metadata: Metadata): Buffer {
    if (metadata instanceof KnownKey && metadata.isKey(this.namespace, userKey)) return metadata.subKeyPrefix;
    return encodeSubKeyPrefix(this.prefix, userKey, metadata.version);
  }

  /** Finds where a value lies (`place`) until the next read or write; false = there is none. Costs less than `get`. */
  locate(columnFamily: number, key: Uint8Array): boolean {
    const { reader, place } = this;
    if (reader.locate !== undefined) return reader.locate(columnFamily, key, place);
    const value = reader.get(columnFamily, key);
    if (value === undefined) return false;
    place.bytes = value;
    place.start = 0;
    place.end = value.length;
    return true;
  }

  /** The metadata of a key of any type; undefined when there is no such key, or no more. Borrowed. */
  findAny(userKey: Uint8Array): Metadata | undefined {
    const metadata = this.#known(userKey) ?? this.#read(userKey);
    if (metadata === undefined) return undefined;
    const nowMs = metadata.expireMs === 0 ? 0 : this.nowMs(); // the clock is asked only where it matters
    return isAlive(metadata, nowMs) ? metadata : undefined;
  }

  #known(userKey: Uint8Array): KnownKey | undefined {
    const known = this.#knownKeys;
    if (known === undefined || known.isEmpty) return undefined;
    return known.find(this.reader.sequence, this.namespace, userKey);
  }

  #read(userKey: Uint8Array): Metadata | undefined {
    const value = this.reader.get(ColumnFamily.metadata, this.metadataKey(userKey));
    const metadata = value === undefined ? undefined : readMetadata(value);
    if (metadata === undefined || this.#knownKeys === undefined || isSingleValueType(metadata.type))
      return metadata;
    // The command may be changing this very key, as the second of DEL key key finds it.
    if (this.batch.count > 0) return metadata;
    const { sequence } = this.reader;
    return this.#knownKeys.learn(sequence, this.namespace, this.prefix, userKey, metadata) ?? metadata;
  }

  /** The metadata of a key of this type; undefined when there is no key, a refusal when it has another type. */
  find(userKey: Uint8Array, type: ValueType): Metadata | undefined | ErrorReply {
    const metadata = this.findAny(userKey);
    return metadata === undefined || metadata.type === type ? metadata : refusal.wrongType;
  }

  /** The metadata of a new key: a version of its own, no elements, no expiry. */
  create(type: ValueType, payload: Buffer = noPayload): Metadata {
    return { type, expireMs: 0, version: this.services.versions.next(), size: 0, payload };
  }

  putMetadata(userKey: Uint8Array, metadata: Metadata): void {
    this.putSize(userKey, metadata, metadata.size);
  }

  /** Puts the metadata with another size and, where given, another payload. */
  putSize(
    userKey: Uint8Array,
    metadata: Metadata,
    size: number,
    payload: Uint8Array = metadata.payload,
  ): void {
    const header = metadataHeader(metadata, size);
    this.batch.putJoined(ColumnFamily.metadata, this.prefix, userKey, header, payload);
    const isKnown = metadata instanceof KnownKey && metadata.isKey(this.namespace, userKey);
    const known = isKnown ? metadata : this.#known(userKey);
    if (this.#changed !== undefined && this.#changed !== known) {
      // Of a command that changes several keys only the last one stays known.
      this.#knownKeys?.forget(this.#changed.userKey);
      this.#changed = undefined;
    }
    if (known === undefined) return;
    if (known.version !== metadata.version) {
      this.#knownKeys?.forget(userKey);
      return;
    }
    this.#changed = known;
    this.#changedExpireMs = metadata.expireMs;
    this.#changedSize = size;
    this.#changedPayload = payload;
  }

  /** Puts a metadata entry whose value, given in two parts, holds all of the key: a string or a document. */
  putSingleValue(userKey: Uint8Array, header: Uint8Array, value: Uint8Array): void {
    this.#knownKeys?.forget(userKey);
    this.batch.putJoined(ColumnFamily.metadata, this.prefix, userKey, header, value);
  }

  deleteMetadata(userKey: Uint8Array): void {
    this.#knownKeys?.forget(userKey);
    this.batch.delete(ColumnFamily.metadata, this.metadataKey(userKey));
  }

  /** Deletes all metadata entries from `begin` up to, not including, `end`. */
  deleteMetadataRange(begin: Uint8Array, end: Uint8Array): void {
    this.#knownKeys?.forgetAll();
    this.batch.deleteRange(ColumnFamily.metadata, begin, end);
  }
}
