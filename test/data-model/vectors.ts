import { readFileSync } from 'node:fs';
import { ColumnFamily } from '../../src/data-model/encoding/column-family.js';
import { readInternalKey } from '../../src/data-model/encoding/keys.js';
import { encodeMetadata, readMetadata } from '../../src/data-model/encoding/metadata.js';
import { batchHeaderBytes, RecordKind, WriteBatchReader } from '../../src/write-batch/index.js';

/** One command that was run against a real Kvrocks, and the batches that it wrote. */
export interface Vector {
  readonly group: string;
  readonly text: string;
  readonly args?: readonly string[];
  readonly reply?: unknown;
  readonly error?: string;
  readonly batches: readonly string[];
}

export const readVectors = (name: 'vectors' | 'vectors-namespaces' = 'vectors'): Vector[] =>
  readFileSync(new URL(`../fixtures/kvrocks/${name}.jsonl`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Vector);

/** One line a record, without what depends on the clock: versions, expiry times, automatic ids. */
export const describeBatch = (batch: Uint8Array): string[] => {
  const reader = new WriteBatchReader(batch);
  const lines: string[] = [];
  while (reader.next()) {
    if (reader.kind === RecordKind.LogData) {
      lines.push(`LogData ${JSON.stringify(reader.value().toString('latin1'))}`);
      continue;
    }
    const key = isUnderVersion(reader.columnFamily)
      ? withoutVersion(reader.key())
      : reader.key().toString('latin1');
    const value =
      reader.columnFamily === ColumnFamily.metadata && reader.kind === RecordKind.Put
        ? withoutClock(reader.value())
        : withoutTime(reader.value());
    const isPending =
      reader.columnFamily === ColumnFamily.streams && reader.key().includes(pendingMark) && value.length > 24;
    const kind = Object.entries(RecordKind).find(([, number]) => number === reader.kind)?.[0];
    lines.push(
      `${kind} ${reader.columnFamily} ${JSON.stringify(key)} ${JSON.stringify(isPending ? value.slice(8) : value)}`,
    );
  }
  return lines;
};

/** Several batches as one, for commands that Kvrocks writes in more than one and we in one. */
export const joinBatches = (batches: readonly Uint8Array[]): Buffer => {
  const count = batches.reduce((sum, batch) => sum + Buffer.from(batch).readUInt32LE(8), 0);
  const header = Buffer.alloc(batchHeaderBytes);
  header.writeUInt32LE(count, 8);
  return Buffer.concat([header, ...batches.map((batch) => batch.subarray(batchHeaderBytes))]);
};

const isUnderVersion = (columnFamily: number): boolean =>
  columnFamily === ColumnFamily.subKeys ||
  columnFamily === ColumnFamily.scores ||
  columnFamily === ColumnFamily.streams;

const withoutVersion = (key: Buffer): string => {
  const parts = readInternalKey(key);
  if (parts === undefined) throw new Error(`no internal key: ${key.toString('hex')}`);
  return `${parts.namespace} ${parts.userKey.toString('latin1')} ${withoutTime(parts.subKey)}`;
};

const withoutClock = (value: Buffer): string => {
  const metadata = readMetadata(value);
  if (metadata === undefined) throw new Error(`no metadata: ${value.toString('hex')}`);
  const version = Buffer.alloc(metadata.version.length);
  const plain = encodeMetadata({ ...metadata, version, expireMs: metadata.expireMs === 0 ? 0 : 1 });
  return withoutTime(plain);
};

/** Leaves out times of the capture's day, wherever they stand: 0x000001a1fc, then three bytes of milliseconds. */
const withoutTime = (bytes: Buffer): string => {
  const plain = Buffer.from(bytes);
  for (let at = plain.indexOf(captureDay); at >= 0; at = plain.indexOf(captureDay, at))
    plain.fill('t', at, at + 8);
  return plain.toString('latin1');
};

/** Of a pending entry this Kvrocks leaves the time of delivery 0. */
const pendingMark = Buffer.from('ffffffffffffffff03', 'hex');

const captureDay = Buffer.from('000001a1fc', 'hex');

/** When the capture was made. */
export const captureMs = 1_795_230_950_100;
