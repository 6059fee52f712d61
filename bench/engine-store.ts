import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine } from '../src/engine/index.js';
import { atMost, type Bench, type BenchResult, result, seconds } from './harness.js';
import {
  batchPuts,
  type Contender,
  coldRate,
  EngineContender,
  limitBytes,
  limits,
  measureWrites,
  openLevel,
  openLmdb,
  scanRate,
  type WriteFigures,
  warmRate,
} from './store/contender.js';
import { residentBytes } from './store/process-figures.js';
import { StallMeter } from './store/stall-meter.js';

const mebibyte = 2 ** 20;

const compareWrites = (own: WriteFigures, peer: string, its: WriteFigures, target: number): BenchResult[] => [
  result('random insert in batches of 100', own.fill, 'puts/s', peer, its.fill, target),
  result('random update in batches of 100', own.update, 'puts/s', peer, its.update, target),
  // No target: less is better.
  result('longest wait of a writer for 100 puts', own.longestWaitMs, 'ms', peer, its.longestWaitMs, 0),
];

/** The longest of ten syncs of a few bytes by another process, in ms. */
const slowestSync = async (path: string): Promise<number> => {
  const script = fileURLToPath(new URL('./store/sync-probe.js', import.meta.url));
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the probe of the disk ended with ${code}`);
  return Number(output);
};

/**
 * Makes ten checkpoints while a writer writes as fast as it can, and waits for each batch; then lets another process sync
 * a file of its own beside the same writes: what of it is the disk's.
 */
const makeCheckpoints = async (store: EngineContender, directory: string): Promise<BenchResult[]> => {
  const { checkpoints } = store.engine;
  let isWriting = true;
  let longestWriteMs = 0;
  let writeStart = 0;
  const noteWrite = (): void => {
    longestWriteMs = Math.max(longestWriteMs, performance.now() - writeStart);
  };
  const writing = (async () => {
    for (let at = 0; isWriting; at += batchPuts) {
      writeStart = performance.now();
      await store.write(at, at + batchPuts);
      noteWrite();
    }
  })();
  let createMs = 0;
  let stallMs = 0;
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const start = performance.now();
    longestWriteMs = 0;
    await checkpoints.create({ name: `${i}` });
    createMs = Math.max(createMs, performance.now() - start);
    noteWrite(); // the one under way
    stallMs = Math.max(stallMs, longestWriteMs);
  }
  const syncMs = await slowestSync(join(directory, 'probe'));
  isWriting = false;
  await writing;
  return [
    atMost('slowest of 10 checkpoints under writes', createMs, 'ms', 20),
    // No target: it tells how much of the time is the disk's.
    result(
      'slowest of 10 checkpoints under writes',
      createMs,
      'ms',
      'slowest of 10 syncs by another process',
      syncMs,
      0,
    ),
    atMost('longest wait of a writer for 100 puts meanwhile', stallMs, 'ms', 5),
  ];
};

const openAfterKill = async (path: string, count: number): Promise<BenchResult> => {
  const script = fileURLToPath(new URL('./store/killed-writer.js', import.meta.url));
  const child = spawn(process.execPath, [script, path, `${count}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  let engine: Engine | undefined;
  const took = await seconds(async () => {
    engine = await Engine.open(path, { ...limits, sync: 'none' });
  });
  await engine?.close();
  return atMost('open after kill -9 with 64 MiB of log to replay', took * 1000, 'ms', 3_000);
};

/** Writes a peer's figures and closes it; what it read from a warm cache too. */
const measurePeer = async (
  peer: Contender,
  count: number,
): Promise<{ writes: WriteFigures; warm: number }> => {
  const writes = await measureWrites(peer, count);
  await warmRate(peer, count);
  const warm = await warmRate(peer, count);
  await peer.close();
  return { writes, warm };
};

const measureStore = async (directory: string, count: number, hasPeers: boolean): Promise<BenchResult[]> => {
  const path = join(directory, 'engine');
  const store = new EngineContender(await Engine.open(path, { ...limits, sync: 'none' }), count);
  const meter = new StallMeter();
  const writes = await measureWrites(store, count);
  const stallMs = meter.stop();
  const resident = residentBytes(); // before the keys of reads and a peer take memory in this process
  await store.engine.flush();
  await warmRate(store, count);
  const warm = await warmRate(store, count);
  const scanned = await scanRate(store.engine, count);
  const results = [
    atMost('longest stall of the event loop while writing', stallMs, 'ms', 50),
    atMost('longest wait of a writer for 100 puts', writes.longestWaitMs, 'ms', 50),
    result('random get, warm cache (32,000 keys of all)', warm, 'gets/s', '1 M/s', 1e6, 1),
    result('ordered scan of all, keys and values', scanned, 'records/s', '3 M/s', 3e6, 1),
    ...(await makeCheckpoints(store, directory)),
    atMost('resident memory, limit 512 MiB', resident / mebibyte, 'MiB', limitBytes / mebibyte + 150),
  ];
  await store.close();
  results.push(await openAfterKill(path, count));
  let engine: Engine | undefined;
  const opened = await seconds(async () => {
    engine = await Engine.open(path, { ...limits, pageCacheBytes: 64 << 20, sync: 'none' });
  });
  if (engine === undefined) throw new Error('not open');
  results.push(atMost('open after a clean close', opened * 1000, 'ms', 500));
  const reopened = new EngineContender(engine, count);
  const cold = await coldRate(reopened, count);
  await reopened.close();
  if (!hasPeers) return results;

  const levelPath = join(directory, 'level');
  const level = await measurePeer(await openLevel(levelPath, count, limits.pageCacheBytes), count);
  const coldLevel = await openLevel(levelPath, count, 64 << 20);
  const levelCold = await coldRate(coldLevel, count);
  await coldLevel.close();
  results.push(
    ...compareWrites(writes, 'classic-level', level.writes, 1),
    result(
      'random get, warm cache (32,000 keys of all)',
      warm,
      'gets/s',
      'classic-level getSync',
      level.warm,
      1,
    ),
    result('random get, cold cache of 64 MiB', cold, 'gets/s', 'classic-level getSync', levelCold, 1),
  );
  const lmdb = await openLmdb(join(directory, 'lmdb'), count);
  if (lmdb === undefined) return results;
  const its = await measurePeer(lmdb, count);
  results.push(
    ...compareWrites(writes, 'lmdb', its.writes, 0.5),
    result(
      'bytes written for each byte of random updates',
      1 / writes.amplification,
      'share',
      'lmdb',
      1 / its.writes.amplification,
      1,
    ),
  );
  return results;
};

/** Beyond so many keys the peers take too long. */
const mostKeysOfPeers = 10_000_000;

export const engineStore: Bench = {
  name: 'engine-store',
  summary:
    'random writes, reads and scans of 10 M keys of 16 + 100 B (--keys COUNT: of as many), memory limit 512 MiB',
  run: async ({ isQuick, keys }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const count = keys ?? (isQuick ? 200_000 : 10_000_000);
    try {
      return await measureStore(directory, count, count <= mostKeysOfPeers);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
