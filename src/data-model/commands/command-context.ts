import type { DataReader } from '../../engine/index.js';
import { WriteBatchBuilder } from '../../write-batch/index.js';
import type { ValueType } from '../change.js';
import { ColumnFamily } from '../encoding/column-family.js';
import {
  defaultNamespace,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
} from '../encoding/keys.js';
import { isAlive, type Metadata, metadataHeader, readMetadata } from '../encoding/metadata.js';
import { CursorTable } from './cursor-table.js';
import { type ErrorReply, refusal } from './reply.js';
import { VersionGenerator } from './version-generator.js';

/** What all contexts of one store share. */
export interface CommandServices {
  /** ms since the epoch */
  readonly nowMs: () => number;
  /** in [0, 1) */
  readonly random: () => number;
  readonly versions: VersionGenerator;
  readonly cursors: CursorTable;
}

export const commandServices = (
  nowMs: () => number = Date.now,
  random: () => number = Math.random,
): CommandServices => ({ nowMs, random, versions: new VersionGenerator(nowMs), cursors: new CursorTable() });

const noPayload = Buffer.alloc(0);

/**
 * What a command works on: it reads from `reader` and appends the records of its change to `batch`; it never
 * touches the store itself. Who runs a command commits the batch when its `count` is above 0 (LogData alone
 * changes nothing), and drops it when the command answers an error or throws.
 */
export class CommandContext {
  readonly reader: DataReader;
  readonly batch: WriteBatchBuilder;
  readonly services: CommandServices;
  readonly namespace: string;
  /** `ns_len | namespace`, the start of every key of the namespace. */
  readonly prefix: Buffer;
  #lastUserKey: Uint8Array | undefined;
  #lastMetadataKey: Buffer = noPayload;

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
  }

  nowMs(): number {
    return this.services.nowMs();
  }

  /** Most commands look a key up and then write it: the second time its metadata key is there. */
  metadataKey(userKey: Uint8Array): Buffer {
    if (userKey !== this.#lastUserKey) {
      this.#lastMetadataKey = encodeMetadataKey(this.prefix, userKey);
      this.#lastUserKey = userKey;
    }
    return this.#lastMetadataKey;
  }

  /** What every sub-key of this incarnation of the key starts with. */
  subKeyPrefix(userKey: Uint8Array, metadata: Metadata): Buffer {
    return encodeSubKeyPrefix(this.prefix, userKey, metadata.version);
  }

  /** The metadata of a key of any type; undefined when there is no such key, or no more. Borrowed. */
  findAny(userKey: Uint8Array): Metadata | undefined {
    const value = this.reader.get(ColumnFamily.metadata, this.metadataKey(userKey));
    if (value === undefined) return undefined;
    const metadata = readMetadata(value);
    if (metadata === undefined) return undefined;
    const nowMs = metadata.expireMs === 0 ? 0 : this.nowMs(); // the clock is asked only where it matters
    return isAlive(metadata, nowMs) ? metadata : undefined;
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
    const header = metadataHeader(metadata);
    this.batch.putJoined(ColumnFamily.metadata, this.prefix, userKey, header, metadata.payload);
  }

  deleteMetadata(userKey: Uint8Array): void {
    this.batch.delete(ColumnFamily.metadata, this.metadataKey(userKey));
  }
}
