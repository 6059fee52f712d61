import { describe, expect, it } from 'vitest';
import { CommandContext } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { readMetadata } from '../../src/data-model/encoding/metadata.js';
import {
  appendRecordsAfter,
  appendRecordsOf,
  type Change,
  ColumnFamily,
  CommandEncoder,
  cutRecords,
  Decoder,
  defaultNamespace,
  encodeMetadataKey,
  isAlive,
  KeyRecordsWriter,
  namespacePrefix,
  type Transaction,
  WholeKeys,
} from '../../src/data-model/index.js';
import { keyRecordsBatch } from '../../src/data-model/key-records/key-records-batch.js';
import { ByteWriter } from '../../src/resp/index.js';
import { WriteBatchReader } from '../../src/write-batch/index.js';
import { CommandClient } from '../support/command-client.js';
import type { MemoryStore } from '../support/memory-store.js';
import { randomCommands } from '../support/random-commands.js';
import { SeededRandom } from '../support/seeded-random.js';

const histories = 3;
const commandsOfHistory = 400;

/** A store with keys of all types in some namespaces, with what deleted keys have left behind. */
const randomStore = (random: SeededRandom): MemoryStore => {
  const client = new CommandClient();
  const next = randomCommands(random);
  const namespaces = ['__namespace', 'a', 'another'];
  for (let at = 0; at < commandsOfHistory; at++) {
    const [name, ...words] = next();
    const context = new CommandContext(client.store, client.services, random.pick(namespaces));
    const args = [name, ...words].map((word) => Buffer.from(word));
    const command = dataCommands.get(String(name).toLowerCase());
    if (
      command === undefined ||
      (command.arity < 0 ? args.length < -command.arity : args.length !== command.arity)
    )
      continue;
    command.run(context, args);
    if (context.batch.count > 0) client.store.commit(context.batch.finish());
  }
  // More elements than one command takes, and names of many lengths.
  const fields = Array.from({ length: 1000 + random.below(1500) }, (_, at) => `f${at}`);
  client.run('HSET', 'large hash', ...fields.flatMap((field) => [field, 'v']));
  client.run('RPUSH', 'large list', ...fields);
  client.run('ZADD', 'large sorted set', ...fields.flatMap((field, at) => [`${at / 8 - 100}`, field]));
  client.run('HSET', 'passing hash', 'f', 'v');
  client.run('SADD', 'passing set', 'm');
  client.run('RPUSH', 'passing list', 'e', 'e');
  for (const key of ['large sorted set', 'passing hash', 'passing set', 'passing list'])
    client.run('PEXPIREAT', key, '4000000000123');
  for (let at = 0; at < 30; at++) {
    client.run('SADD', 'x'.repeat(random.below(40)) + at, ...fields.slice(0, 1 + random.below(5)));
    client.run(
      'SET',
      `string ${at}`,
      random.bytes(random.below(300)),
      ...random.pick([[], ['PXAT', '4000000000456']]),
    );
  }
  for (let at = 0; at < 1500; at++) client.run('SET', `plain ${at}`, 'v'.repeat(at % 200));
  return client.store;
};

/** All keys, in pages of random sizes. */
const pagesOf = (store: MemoryStore, random: SeededRandom): Buffer[] => {
  const pages: Buffer[] = [];
  let after: Buffer = Buffer.alloc(0);
  for (;;) {
    const out = new KeyRecordsWriter(16);
    const limit = { maxKeys: 1 + random.below(400), maxBytes: 1 + random.below(50_000), nowMs: Date.now() };
    const { next } = appendRecordsAfter(store, after, limit, out);
    pages.push(Buffer.from(out.bytes));
    if (next === undefined) return pages;
    after = next;
  }
};

type NamedRecord = readonly [family: number, key: string, value: string];

const recordsOfBatch = (batch: Buffer): NamedRecord[] => {
  const reader = new WriteBatchReader(batch);
  const records: NamedRecord[] = [];
  while (reader.next())
    records.push([reader.columnFamily, reader.key().toString('latin1'), reader.value().toString('latin1')]);
  return records;
};

/** What keys consist of, found without a walk: every record whose key begins as a key of today has it. */
const recordsOfStore = (store: MemoryStore): NamedRecord[] => {
  const found: NamedRecord[] = [];
  const text = (bytes: Buffer): string => bytes.toString('latin1');
  for (const { key, value } of [...store.iterate({ columnFamily: ColumnFamily.metadata })]) {
    const metadata = readMetadata(value);
    if (metadata === undefined || !isAlive(metadata, Date.now())) continue;
    found.push([ColumnFamily.metadata, text(key), text(value)]);
    const end = 1 + key[0];
    const length = Buffer.alloc(4);
    length.writeUInt32BE(key.length - end);
    const prefix = Buffer.concat([key.subarray(0, end), length, key.subarray(end), metadata.version]);
    if (metadata.version.length === 0) continue;
    for (const columnFamily of [ColumnFamily.subKeys, ColumnFamily.streams])
      for (const item of store.iterate({ columnFamily, begin: prefix }))
        if (!item.key.subarray(0, prefix.length).equals(prefix)) break;
        else found.push([columnFamily, text(item.key), text(item.value)]);
  }
  return found;
};

/** The commands, behind how many they are. */
const encode = (encoder: CommandEncoder, transaction: Pick<Transaction, 'changes'>): string => {
  const out = new ByteWriter();
  const commands = encoder.append(out, transaction);
  return `${commands} ${out.take().toString('latin1')}`;
};

/** All that the changes say but their places. */
const textOf = (changes: readonly Change[]): string =>
  changes
    .map((change) =>
      Object.entries(change)
        .filter(([name]) => name !== 'seq' && name !== 'index')
        .map(
          ([name, value]) => `${name}=${Buffer.isBuffer(value) ? value.toString('latin1') : String(value)}`,
        )
        .sort()
        .join(' '),
    )
    .join('\n');

describe('records of whole keys', () => {
  it('are all records of every key, each once, however the walk is cut into pages', () => {
    const random = SeededRandom.fromEnvironment('pages of records');
    for (let history = 0; history < histories; history++) {
      const store = randomStore(random);
      const found = pagesOf(store, random).flatMap((page) => recordsOfBatch(keyRecordsBatch(page)));
      expect(found).toEqual(recordsOfStore(store));
    }
  });

  it('become the same commands straight away as by way of changes, of every type', () => {
    const random = SeededRandom.fromEnvironment('commands of records');
    const prefixes = { default: '', a: 'a:', another: 'other:' };
    const encoders = [
      new CommandEncoder({ prefixes, foldSets: true }),
      new CommandEncoder({ prefixes, ttlGraceMs: 1000 }),
      new CommandEncoder({ prefixes: { default: '' }, foldSets: true }),
    ];
    const seen = new Set<string>();
    for (let history = 0; history < histories; history++) {
      const store = randomStore(random);
      for (const page of pagesOf(store, random)) {
        const runs = cutRecords(page, 7);
        const decoded = new Decoder().decode(keyRecordsBatch(page));
        expect(textOf(runs.flatMap(({ transaction }) => transaction.changes))).toBe(textOf(decoded.changes));
        expect(runs.flatMap(({ transaction }) => transaction.undecodable)).toHaveLength(
          decoded.undecodable.length,
        );
        for (const { transaction } of runs) {
          if (!(transaction instanceof WholeKeys)) continue;
          for (const change of transaction.changes) seen.add(`${change.op} ${change.type}`);
          for (const encoder of encoders)
            expect(encode(encoder, transaction)).toBe(encode(encoder, { changes: transaction.changes }));
        }
      }
    }
    expect([...seen].sort()).toEqual([
      'delete key',
      'expire hash',
      'expire list',
      'expire set',
      'expire zset',
      'push list',
      'put hash',
      'put set',
      'put string',
      'put zset',
    ]);
  });

  it('take the long way where a key is not all there, and are refused when they are cut', () => {
    const client = new CommandClient();
    client.run('SET', 'a', '1');
    client.run('HSET', 'b', 'f', 'v', 'g', 'w');
    client.run('SET', 'c', '3');
    const whole = allRecords(client);
    expect(cutRecords(whole, 1).map(({ transaction }) => transaction instanceof WholeKeys)).toEqual([true]);
    const [{ key }] = [...client.store.iterate({ columnFamily: ColumnFamily.subKeys })];
    const context = new CommandContext(client.store, client.services);
    context.batch.delete(ColumnFamily.subKeys, key);
    client.store.commit(context.batch.finish());
    const torn = cutRecords(allRecords(client), 1);
    expect(torn.map(({ transaction }) => transaction instanceof WholeKeys)).toEqual([true, false, true]);
    const keysUpTo = (end: number): number =>
      cutRecords(whole.subarray(0, end), 1).reduce((sum, { keys }) => sum + keys, 0);
    const counts: number[] = [];
    for (let end = 0; end < whole.length; end++) {
      try {
        counts.push(keysUpTo(end));
      } catch (error) {
        expect(error).toMatchObject({ code: 'BATCH_CORRUPT' });
      }
    }
    expect(counts).toEqual([0, 1, 2]);
  });

  it('of one key are found by its name, and of none where there is none any more', () => {
    const client = new CommandClient(() => 5_000);
    client.run('RPUSH', 'list', 'x', 'y', 'z');
    client.run('LPOP', 'list');
    client.run('SET', 'passing', 'v', 'PX', '1000');
    const place = (name: string): Buffer =>
      encodeMetadataKey(namespacePrefix(defaultNamespace), Buffer.from(name));
    const out = new KeyRecordsWriter(16);
    const isFound = (name: string, nowMs: number): boolean =>
      appendRecordsOf(client.store, place(name), nowMs, out);
    expect(isFound('lis', 5_000)).toBe(false);
    expect(isFound('passing', 6_001)).toBe(false);
    expect(isFound('passing', 6_000)).toBe(true);
    expect(isFound('list', 5_000)).toBe(true);
    const changes = cutRecords(out.bytes, 1).flatMap(({ transaction }) => transaction.changes);
    expect(changes.flatMap((change) => (change.op === 'push' ? [change.value.toString()] : []))).toEqual([
      'y',
      'z',
    ]);
  });
});

const allRecords = ({ store }: CommandClient): Buffer => {
  const out = new KeyRecordsWriter(16);
  appendRecordsAfter(store, Buffer.alloc(0), { maxKeys: 9, maxBytes: 1000, nowMs: 0 }, out);
  return Buffer.from(out.bytes);
};
