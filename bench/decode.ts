import { ColumnFamily } from '../src/data-model/encoding/column-family.js';
import {
  encodeInternalKey,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
} from '../src/data-model/encoding/keys.js';
import { encodeMetadata } from '../src/data-model/encoding/metadata.js';
import {
  CommandEncoder,
  Decoder,
  EventEncoder,
  type EventSource,
  type Transaction,
} from '../src/data-model/index.js';
import { ByteWriter } from '../src/resp/index.js';
import { batchCount, WriteBatchBuilder } from '../src/write-batch/index.js';
import { alternate, type Bench, type BenchResult, median, result, seconds } from './harness.js';

const prefix = namespacePrefix('__namespace');
const noBytes = Buffer.alloc(0);
const rounds = 5;

/** Decoded changes a second that the design asks for, on one core. */
const stringGoal = 1_000_000;
const hashGoal = 700_000;

/** Batches as Kvrocks logs them; `fill` writes the records of the batch of that number. */
const makeBatches = (count: number, fill: (batch: WriteBatchBuilder, number: number) => void): Buffer[] => {
  let sequence = 1;
  const builder = new WriteBatchBuilder();
  return Array.from({ length: count }, (_, number) => {
    builder.clear();
    fill(builder, number);
    const bytes = Buffer.from(builder.finish(sequence));
    sequence += batchCount(bytes);
    return bytes;
  });
};

/** SET of a 16-byte key and 100 bytes. */
const stringBatches = (count: number): Buffer[] => {
  const payload = Buffer.alloc(100, 'v');
  const value = encodeMetadata({ type: 'string', expireMs: 0, version: noBytes, size: 0, payload });
  return makeBatches(count, (batch, number) => {
    const key = Buffer.from(`key:${String(number).padStart(12, '0')}`);
    batch.logData(Buffer.from('1')).put(ColumnFamily.metadata, encodeMetadataKey(prefix, key), value);
  });
};

/** HSET of ten new fields of 32 bytes in a new hash. */
const hashBatches = (count: number): Buffer[] => {
  const value = Buffer.alloc(32, 'v');
  return makeBatches(count, (batch, number) => {
    const key = Buffer.from(`user:${String(number).padStart(11, '0')}`);
    const version = Buffer.alloc(8);
    version.writeUInt32BE(number, 4);
    const subKeys = encodeSubKeyPrefix(prefix, key, version);
    batch.logData(Buffer.from('2'));
    for (let field = 0; field < fieldsPerHash; field++)
      batch.put(ColumnFamily.subKeys, encodeInternalKey(subKeys, Buffer.from(`field${field}`)), value);
    const metadata = encodeMetadata({
      type: 'hash',
      expireMs: 0,
      version,
      size: fieldsPerHash,
      payload: noBytes,
    });
    batch.put(ColumnFamily.metadata, encodeMetadataKey(prefix, key), metadata);
  });
};
const fieldsPerHash = 10;

/** HSET of one field of a hash that has it: no metadata in the batch. */
const fieldBatches = (count: number): Buffer[] => {
  const value = Buffer.alloc(32, 'v');
  return makeBatches(count, (batch, number) => {
    const version = Buffer.alloc(8);
    version.writeUInt32BE(number % 1000, 4);
    const subKeys = encodeSubKeyPrefix(prefix, Buffer.from(`user:${1e10 + (number % 1000)}`), version);
    const key = encodeInternalKey(subKeys, Buffer.from(`field${number % 10}`));
    batch.logData(Buffer.from('2')).put(ColumnFamily.subKeys, key, value);
  });
};

/** Changes a second from batches to RESP bytes. */
const decodeRate = async (batches: readonly Buffer[]): Promise<number> => {
  const decoder = new Decoder();
  const encoder = new CommandEncoder();
  const out = new ByteWriter(1024 * 1024);
  let changes = 0;
  const spent = await seconds(() => {
    for (const batch of batches) {
      const transaction = decoder.decode(batch);
      changes += transaction.changes.length;
      encoder.append(out, transaction);
      if (out.length > flushBytes) out.clear();
    }
  });
  return changes / spent;
};

const flushBytes = 512 * 1024;
const source: EventSource = { connector: 'kvrocks', name: 'bench' };

const eventRate = async (transactions: readonly Transaction[]): Promise<number> => {
  const encoder = new EventEncoder(source);
  const out = new ByteWriter(1024 * 1024);
  let events = 0;
  const spent = await seconds(() => {
    for (const transaction of transactions) {
      events += encoder.append(out, transaction);
      if (out.length > flushBytes) out.clear();
    }
  });
  return events / spent;
};

/** The same lines by JSON.stringify. */
const stringifyRate = async (transactions: readonly Transaction[]): Promise<number> => {
  const out = new ByteWriter(1024 * 1024);
  let events = 0;
  const spent = await seconds(() => {
    for (const { first, last, changes } of transactions) {
      const tx = { first, last, size: changes.length };
      for (const change of changes) {
        const { seq, index, ns, op, type } = change;
        const event: Record<string, unknown> = { v: 1, source, seq, index, tx, ns, op, type };
        if ('key' in change) event['key'] = textOf(change.key);
        if ('field' in change) event['field'] = textOf(change.field);
        if ('value' in change && change.value !== undefined) event['value'] = textOf(change.value);
        out.utf8(`${JSON.stringify(event)}\n`);
        events++;
      }
      if (out.length > flushBytes) out.clear();
    }
  });
  return events / spent;
};

const textOf = (bytes: Uint8Array): string =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)).toString();

const kinds = [
  { name: 'strings', make: stringBatches, changesPerBatch: 1, goal: stringGoal },
  { name: 'hashes', make: hashBatches, changesPerBatch: fieldsPerHash, goal: hashGoal },
  { name: 'single fields', make: fieldBatches, changesPerBatch: 1, goal: hashGoal },
];

/** Decoding batches to Redis commands, and writing them as events, on one core. */
export const decodeBench: Bench = {
  name: 'decode',
  summary: 'batches to changes to RESP commands, and to JSON events, without any input or output',
  async run({ isQuick }): Promise<BenchResult[]> {
    const changes = isQuick ? 50_000 : 500_000;
    const results: BenchResult[] = [];
    for (const { name, make, changesPerBatch, goal } of kinds) {
      const batches = make(changes / changesPerBatch);
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) rates.push(await decodeRate(batches));
      const goalName = `goal ${goal / 1000} k/s`;
      results.push(result(`decode ${name} to commands`, median(rates), 'changes/s', goalName, goal, 1));
      const decoder = new Decoder();
      const transactions = batches
        .slice(0, changes / changesPerBatch / 4)
        .map((batch) => decoder.decode(batch));
      const [ours, theirs] = (await alternate(rounds, [
        () => eventRate(transactions),
        () => stringifyRate(transactions),
      ])) as [number, number];
      results.push(result(`events of ${name}`, ours, 'events/s', 'JSON.stringify', theirs, 3));
    }
    return results;
  },
};
