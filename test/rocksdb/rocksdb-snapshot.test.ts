import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RocksLevel } from '@nxtedition/rocksdb';
import { afterAll, describe, expect, it } from 'vitest';
import { columnFamilyNames, Engine } from '../../src/engine/index.js';
import { RocksdbSnapshot } from '../../src/rocksdb/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { readHistoryBatches } from '../data-model/captured-history.js';
import { throwAwayDirectory } from '../services/index.js';
import { KvrocksDirectory } from '../support/kvrocks-directory.js';

const directory = throwAwayDirectory('rocksdb-snapshot');
afterAll(() => directory.remove());
const batches = readHistoryBatches();
const middle = batches.length >> 1;
const families = [0, 1, 2, 5];

interface Dump {
  readonly sequence: number;
  readonly data: readonly (readonly string[])[];
}

const dumpOf = (reader: Pick<Engine, 'sequence' | 'iterate'>): Dump => ({
  sequence: reader.sequence,
  data: families.map((columnFamily) => {
    const entries: string[] = [];
    for (const { key, value } of reader.iterate({ columnFamily }))
      entries.push(`${key.toString('hex')}=${value.toString('hex')}`);
    return entries;
  }),
});

const readDirectory = async (path: string): Promise<Dump> => {
  await using snapshot = await RocksdbSnapshot.open(path, { ...columnFamilyNames });
  return dumpOf(snapshot);
};

/** What our own engine makes of the same history. */
const expected = async (history: readonly Uint8Array[]): Promise<Dump> => {
  const store = throwAwayDirectory('rocksdb-expected');
  await using engine = await Engine.open(store.path, { sync: 'none' });
  for (const batch of history) engine.commit(Buffer.from(batch));
  const dump = dumpOf(engine);
  store.remove();
  return dump;
};

describe('a snapshot of a RocksDB directory', () => {
  it('reads what is in the log alone, in tables alone, and in both, whatever they are compressed with', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'steps'));
    made.writeLog(batches.slice(0, middle));
    const half = await expected(batches.slice(0, middle));
    expect(await readDirectory(made.path)).toEqual(half);

    made.compact(['default', 'metadata'], '--compression_type=snappy');
    made.compact(['zset_score'], '--compression_type=lz4');
    expect(await readDirectory(made.path)).toEqual(half);

    // More on top of the tables: in the log, then in tables of level 0 that overlap the others.
    const log = made.writeLog(batches.slice(middle));
    const whole = await expected(batches);
    expect(await readDirectory(made.path)).toEqual(whole);
    expect(whole.data[0].length).toBeGreaterThan(3_000);
    cpSync(log, `${log}.kept`);
    made.recover('--compression_type=zlib');
    expect(await readDirectory(made.path)).toEqual(whole);

    made.compact(['stream'], '--compression_type=lz4hc');
    const now = await readDirectory(made.path);
    expect(now).toEqual(whole);
  });

  it('reads blocks compressed by zstd', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'zstd'));
    made.writeLog(batches);
    made.compact(['default', 'metadata'], '--compression_type=zstd');
    expect(await readDirectory(made.path)).toEqual(await expected(batches));
  });

  it.each([
    { format_version: '2', checksum: 'kCRC32c', block_size: '512' },
    { format_version: '3', checksum: 'kxxHash64', index_block_restart_interval: '8' },
    {
      format_version: '4',
      index_type: 'kTwoLevelIndexSearch',
      partition_filters: 'true',
      metadata_block_size: '512',
    },
    {
      index_type: 'kTwoLevelIndexSearch',
      block_size: '300',
      metadata_block_size: '300',
      index_shortening: 'kNoShortening',
    },
    { index_type: 'kBinarySearchWithFirstKey', block_restart_interval: '1', block_size: '700' },
    {
      index_type: 'kBinarySearchWithFirstKey',
      format_version: '3',
      index_shortening: 'kShortenSeparatorsAndSuccessor',
    },
    { data_block_index_type: 'kDataBlockBinaryAndHash', block_size: '2048', checksum: 'kNoChecksum' },
    {
      index_type: 'kHashSearch',
      prefix_extractor: 'fixed:4',
      block_align: 'true',
      compression: 'kNoCompression',
    },
    { whole_key_filtering: 'false', prefix_extractor: 'capped:6', enable_index_compression: 'false' },
  ])('reads tables written with %o', async (form) => {
    const made = new KvrocksDirectory(join(directory.path, Object.values(form).join('-')));
    made.writeLog(batches.slice(0, middle));
    made.setOptions({ filter_policy: 'bloomfilter:10:false', ...form });
    made.compact(['default', 'metadata']);
    made.writeLog(batches.slice(middle));
    made.recover();
    const whole = await expected(batches);
    expect(await readDirectory(made.path)).toEqual(whole);
    await using snapshot = await RocksdbSnapshot.open(made.path, { ...columnFamilyNames });
    const keys = [...snapshot.iterate({ columnFamily: 0 })].map(({ key }) => key);
    for (let at = 0; at < keys.length; at += 101) expect(snapshot.get(0, keys[at])).toBeDefined();
  });

  it('reads values that lie in blob files, in those of them that still count', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'blobs'));
    const blobs = ['--enable_blob_files', '--min_blob_size=16'];
    const third = Math.floor(batches.length / 3);
    for (const [at, compression] of ['no', 'lz4', 'zstd'].entries()) {
      made.writeLog(batches.slice(at * third, at === 2 ? undefined : (at + 1) * third));
      made.recover(...blobs, `--blob_compression_type=${compression}`);
      if (at < 2)
        expect(await readDirectory(made.path)).toEqual(await expected(batches.slice(0, (at + 1) * third)));
    }
    const whole = await expected(batches);
    expect(await readDirectory(made.path)).toEqual(whole);
    const files = (): string[] => readdirSync(made.path).filter((name) => name.endsWith('.blob'));
    expect(files().length).toBeGreaterThanOrEqual(3);
    // Merged and collected: files go, and what is left is found in those that are new.
    const collected = ['--enable_blob_garbage_collection', '--blob_garbage_collection_age_cutoff=1.0'];
    const before = files();
    made.compact(['default', 'metadata'], ...blobs, ...collected);
    expect(files()).not.toEqual(before);
    expect(await readDirectory(made.path)).toEqual(whole);
  });

  it('names the blob file that is damaged or missing, and the place', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'damaged-blobs'));
    made.writeLog(batches.slice(0, 1000));
    made.recover('--enable_blob_files', '--min_blob_size=0');
    const name = readdirSync(made.path).find((file) => file.endsWith('.blob')) ?? '';
    const path = join(made.path, name);
    const bytes = readFileSync(path);
    for (const at of [31, 40, 50, 60, 64, 100]) {
      const broken = Buffer.from(bytes);
      broken[at] ^= 1;
      writeFileSync(path, broken);
      if (at === 50) continue; // the checksum of the lengths, which are known from the table
      await expect(readDirectory(made.path)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining(path),
        context: { file: path, offset: expect.any(Number) },
      });
    }
    truncateSync(path, 40);
    await expect(readDirectory(made.path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    rmSync(path);
    await expect(readDirectory(made.path)).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
      message: expect.stringContaining(path),
    });
  });

  it('names a compression dictionary, which it cannot read, and a compression that is not known', async () => {
    for (const [options, message] of [
      [['--compression_type=zstd', '--compression_max_dict_bytes=4096'], 'a compression dictionary'],
      [['--compression_type=bzip2'], 'compressed in a way that is not known: 3'],
    ] as const) {
      const made = new KvrocksDirectory(join(directory.path, message));
      made.writeLog(batches);
      made.compact(['default'], ...options);
      await expect(readDirectory(made.path)).rejects.toMatchObject({
        code: 'SOURCE_UNSUPPORTED',
        message: expect.stringContaining(message),
      });
    }
  });

  it('reads the tables of a newer RocksDB, whose footer and checksums have another form', async () => {
    const path = join(directory.path, 'newer');
    const options = { compression: false, walCompression: true };
    const open = (): RocksLevel => new RocksLevel(path, options);
    for (let round = 0; round < 2; round++) {
      const store = open();
      await store.open();
      for (let at = 0; at < 3_000; at += 2) await store.put(`key ${at + round}`, `value ${at}`);
      await store.close();
    }
    const store = open();
    await store.open(); // what is in the log becomes a table
    await store.close();
    await using snapshot = await RocksdbSnapshot.open(path, { 0: 'default' });
    expect(snapshot.sequence).toBe(3_000);
    expect([...snapshot.iterate({ columnFamily: 0 })]).toHaveLength(3_000);
    expect(readdirSync(path).some((name) => name.endsWith('.sst'))).toBe(true);
  });

  it('honours deleted ranges in the log and in tables', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'ranges'));
    const key = (at: number): Buffer => Buffer.from(`key:${String(at).padStart(4, '0')}`);
    const put = new WriteBatchBuilder();
    for (let at = 0; at < 1000; at++) put.put(1, key(at), Buffer.from(`value ${at}`));
    const history = [put.finish()];
    history.push(new WriteBatchBuilder().deleteRange(1, key(100), key(200)).finish());
    history.push(new WriteBatchBuilder().put(1, key(150), Buffer.from('again')).finish());
    let sequence = 1;
    for (const [at, count] of [1000, 1, 1].entries()) {
      history[at].writeBigUInt64LE(BigInt(sequence));
      sequence += count;
    }
    made.writeLog(history);
    const whole = await expected(history);
    expect(whole.data[1].length).toBe(901);
    expect(await readDirectory(made.path)).toEqual(whole);
    made.recover();
    expect(await readDirectory(made.path)).toEqual(whole);
    // A range above tables that were merged, itself in a table of level 0 beside them.
    made.compact(['metadata']);
    made.deleteRange('metadata', key(500), key(600));
    made.recover();
    expect((await readDirectory(made.path)).data[1].length).toBe(801);
  });

  it('finds a place by its key, and walks on from there', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'seek'));
    made.writeLog(batches);
    made.compact(['default'], '--block_size=512', '--compression_type=snappy');
    await using snapshot = await RocksdbSnapshot.open(made.path, { ...columnFamilyNames });
    const keys = [...snapshot.iterate({ columnFamily: 0 })].map(({ key }) => key);
    for (let at = 0; at < keys.length; at += 97) {
      const iterator = snapshot.iterate({ columnFamily: 0, begin: keys[at] });
      expect(iterator.item.key).toEqual(keys[at]);
      iterator.seek(Buffer.concat([keys[at], Buffer.of(0)]));
      expect(iterator.valid ? iterator.item.key : undefined).toEqual(keys[at + 1]);
      iterator.close();
      expect(snapshot.get(0, keys[at])).toBeDefined();
    }
    expect(snapshot.get(0, Buffer.from('no such key'))).toBeUndefined();
  });

  it('names the file and the place of what is damaged, and what is missing', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'damaged'));
    made.writeLog(batches.slice(0, 1000));
    made.compact(['default'], '--compression_type=snappy');
    const tables = readdirSync(made.path).filter((name) => name.endsWith('.sst'));
    const largest = tables.map((name) => ({ name, size: readFileSync(join(made.path, name)).length }));
    largest.sort((a, b) => b.size - a.size);
    const path = join(made.path, largest[0].name);
    const bytes = readFileSync(path);
    const broken = Buffer.from(bytes);
    broken[100] ^= 1;
    writeFileSync(path, broken);
    await expect(readDirectory(made.path)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(path),
    });
    truncateSync(path, bytes.length - 10);
    await expect(readDirectory(made.path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    writeFileSync(path, bytes);
    expect(await readDirectory(made.path)).toEqual(await expected(batches.slice(0, 1000)));
  });

  it('takes a log that ends inside a record for its whole batches, and no other gap', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'torn'));
    const log = made.writeLog(batches.slice(0, 500));
    truncateSync(log, readFileSync(log).length - 3);
    expect(await readDirectory(made.path)).toEqual(await expected(batches.slice(0, 499)));
    made.writeLog(batches.slice(510, 520));
    await expect(readDirectory(made.path)).rejects.toMatchObject({ code: 'WAL_GAP' });
  });
});
