import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine } from '../src/engine/index.js';
import { LogReader } from '../src/engine/wal/index.js';
import { WriteBatchBuilder, WriteBatchReader } from '../src/write-batch/index.js';
import { alternate, type Bench, type BenchResult, result, seconds } from './harness.js';

const keyBytes = 16;
const valueBytes = 100;

/** Our log with as many batches of one put, in one segment; returns its path. */
const writeLog = async (directory: string, batches: number): Promise<string> => {
  await using engine = await Engine.open(directory, { sync: 'none', segmentBytes: 2 ** 31 });
  const batch = new WriteBatchBuilder();
  const value = Buffer.alloc(valueBytes, 'v');
  for (let i = 0; i < batches; i++) {
    batch.clear();
    // Few distinct keys: the data in memory is not what is measured.
    batch.put(0, Buffer.from(String(i % 1000).padStart(keyBytes, '0')), value);
    engine.commit(batch.finish());
    if (i % 1000 === 999) await engine.whenDurable(engine.sequence);
  }
  await engine.whenDurable(engine.sequence);
  return join(directory, '000001.log');
};

/** Reads the whole log, every CRC checked, every record walked; `visit` sees each put. */
const readLog = (
  path: string,
  visit: (reader: WriteBatchReader) => number,
): { records: number; sum: number } => {
  const fd = openSync(path, 'r');
  const log = new LogReader(fd, path, 1);
  let records = 0;
  let sum = 0;
  const reader = new WriteBatchReader();
  while (log.next() === 'record') {
    reader.reset(log.bytes, log.payloadStart, log.payloadEnd);
    while (reader.next()) {
      records++;
      sum += visit(reader);
    }
  }
  closeSync(fd);
  return { records, sum };
};

/** RocksDB itself over the same batches: built from bench/peers/rocksdb-wal-walk.cc, records a second, 0 without it. */
const buildPeer = (directory: string): ((batches: number) => number) | string => {
  const source = fileURLToPath(new URL('../../bench/peers/rocksdb-wal-walk.cc', import.meta.url));
  const binary = join(directory, 'walk');
  const built = spawnSync('g++', ['-O2', '-std=c++17', '-o', binary, source, '-lrocksdb'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) return 'g++ and librocksdb-dev are not installed';
  const database = join(directory, 'rocksdb');
  return (batches) =>
    Number(
      spawnSync(binary, [database, String(batches), String(keyBytes), String(valueBytes)], {
        encoding: 'utf8',
      }).stdout,
    );
};

export const walDecode: Bench = {
  name: 'wal-decode',
  summary: 'reading back a log of one-put batches (16 B keys, 100 B values), CRC checked',
  run: async ({ isQuick }) => {
    const batches = isQuick ? 100_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    try {
      const path = await writeLog(join(directory, 'store'), batches);
      const rate = (visit: (reader: WriteBatchReader) => number) => async (): Promise<number> => {
        const time = await seconds(() => {
          const { records } = readLog(path, visit);
          if (records !== batches) throw new Error(`read ${records} of ${batches} records`);
        });
        return batches / time;
      };
      const positions = rate((reader) => reader.keyStart + reader.valueEnd);
      const buffers = rate((reader) => reader.key().length + reader.value().length);
      const peer = buildPeer(directory);
      const rocksdb = async (): Promise<number> => (typeof peer === 'string' ? Number.NaN : peer(batches));
      const [ours = 0, made = 0, theirs = 0] = await alternate(isQuick ? 1 : 5, [
        positions,
        buffers,
        rocksdb,
      ]);
      const results: BenchResult[] = [
        result('down to key and value positions', ours, 'records/s', 'the limit of 3 M/s', 3_000_000, 1),
        result('with Buffers for key and value', made, 'records/s', 'the limit of 1.2 M/s', 1_200_000, 1),
      ];
      if (typeof peer === 'string') console.error(`  without RocksDB as peer: ${peer}`);
      else
        results.push(
          result(
            'down to key and value positions',
            ours,
            'records/s',
            "RocksDB's GetUpdatesSince",
            theirs,
            1,
          ),
        );
      return results;
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
