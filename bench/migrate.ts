import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { ByteWriter, writeCommand } from '../src/kit/index.js';
import { startRedis } from '../test/services/index.js';
import { program } from '../test/support/tailrace-program.js';
import { type Bench, type BenchResult, result, seconds } from './harness.js';
import { startServe } from './serve.js';

interface DataSet {
  readonly name: string;
  /** What the commands are. */
  readonly peer: string;
  /** Whether the migration restores dumps, which are then piped too. */
  readonly isDumped: boolean;
  readonly keys: number;
  /** Whether comparing it has a rate to reach. */
  readonly isVerified: boolean;
  /** The commands that make it, as a client sends them. */
  readonly commands: Buffer;
}

const strings = (keys: number): DataSet => {
  const out = new ByteWriter(keys * 150);
  const value = Buffer.alloc(100, 'x');
  for (let at = 0; at < keys; at++) writeCommand(out, ['SET', `key:${at}`, value]);
  return {
    name: 'strings of 100 B',
    peer: 'SET commands',
    keys,
    isDumped: false,
    isVerified: true,
    commands: out.take(),
  };
};

const hashes = (keys: number): DataSet => {
  const out = new ByteWriter(keys * 600);
  const fields = Array.from({ length: 20 }, (_, field) => [
    `field:${field}`,
    `value of field ${field}`,
  ]).flat();
  for (let at = 0; at < keys; at++) writeCommand(out, ['HSET', `hash:${at}`, ...fields]);
  return {
    name: 'hashes of 20 fields',
    peer: 'HSET commands',
    keys,
    isDumped: true,
    isVerified: false,
    commands: out.take(),
  };
};

const pipe = async (port: number, path: string): Promise<void> => {
  const child = spawn('redis-cli', ['-p', `${port}`, '--pipe'], {
    stdio: [openSync(path, 'r'), 'ignore', 'inherit'],
  });
  await requireDone(child, 'redis-cli');
};

/** Runs the command line; resolves to its peak memory in MiB. */
const runTailrace = async (words: readonly string[], cwd: string): Promise<number> => {
  const child = spawn(process.execPath, [program, ...words], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  let peakKiB = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKiB = Math.max(peakKiB, Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 50);
  await requireDone(child, `tailrace ${words[0]}`);
  clearInterval(timer);
  return peakKiB / 1024;
};

/** RESTORE commands of all keys that a Redis has but the position, with the dumps that it makes of them. */
const restoreCommands = async (redis: Redis): Promise<Buffer> => {
  const out = new ByteWriter(1024 * 1024);
  for (let cursor = '0'; ; ) {
    const [next, keys] = await redis.scanBuffer(cursor, 'COUNT', 10_000);
    const dumps = redis.pipeline();
    for (const key of keys) dumps.dumpBuffer(key);
    const replies = (await dumps.exec()) ?? [];
    for (const [at, [, dump]] of replies.entries())
      if (dump instanceof Buffer && !keys[at].includes(':position'))
        writeCommand(out, ['RESTORE', keys[at], 0, dump, 'REPLACE', 'ABSTTL']);
    cursor = next.toString();
    if (cursor === '0') return out.take();
  }
};

const requireDone = async (child: ChildProcess, what: string): Promise<void> => {
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${what} ended with ${code}`);
};

const measure = async (data: DataSet, rounds: number): Promise<BenchResult[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-migrate-'));
  const serve = await startServe(join(directory, 'store'));
  const { port } = serve;
  const service = await startRedis();
  const redis = new Redis(service.port);
  try {
    const file = join(directory, 'commands.resp');
    writeFileSync(file, data.commands);
    await pipe(port, file);
    const ends = ['-q', '--from', `redis://127.0.0.1:${port}`, '--to', service.url];
    const ratios: number[] = [];
    const rates: [ours: number, pipe: number, verify: number, dumps: number][] = [];
    const dumpFile = join(directory, 'dumps.resp');
    let peakMiB = 0;
    for (let round = 0; round < rounds; round++) {
      await redis.flushall();
      const piped = await seconds(() => pipe(service.port, file));
      await redis.flushall();
      rmSync(join(directory, 'tailrace-migration.json'), { force: true });
      const migrated = await seconds(async () => {
        peakMiB = Math.max(peakMiB, await runTailrace(['migrate', ...ends], directory));
      });
      if ((await redis.dbsize()) !== data.keys + 1) throw new Error('not every key has arrived');
      const verified = await seconds(async () => {
        peakMiB = Math.max(peakMiB, await runTailrace(['verify', ...ends], directory));
      });
      let restored = Number.NaN;
      if (data.isDumped) {
        if (round === 0) writeFileSync(dumpFile, await restoreCommands(redis));
        await redis.flushall();
        restored = await seconds(() => pipe(service.port, dumpFile));
      }
      ratios.push(piped / migrated);
      rates.push([data.keys / migrated, data.keys / piped, data.keys / verified, data.keys / restored]);
    }
    // The round with the middle ratio: both sides of it met the same machine.
    const order = ratios.map((_, at) => at).sort((a, b) => ratios[a] - ratios[b]);
    const [ours, cli, verify, dumps] = rates[order[order.length >> 1]];
    return [
      result(
        `migrate ${data.name}`,
        ours,
        'keys/s',
        `redis-cli --pipe of ${data.peer} of the same keys`,
        cli,
        0.6,
      ),
      ...(data.isDumped
        ? [
            result(
              `migrate ${data.name}`,
              ours,
              'keys/s',
              'redis-cli --pipe of RESTORE of the same keys',
              dumps,
              0,
            ),
          ]
        : []),
      ...(data.isVerified
        ? [result(`verify ${data.name}, every key both ways`, verify, 'keys/s', '300,000 keys/s', 300_000, 1)]
        : []),
      result(`peak memory of migrate and verify, ${data.name}`, 300, 'MiB allowed', 'MiB used', peakMiB, 1),
    ];
  } finally {
    redis.disconnect();
    await service.stop();
    await serve.stop();
    rmSync(directory, { recursive: true, force: true });
  }
};

/** Start of the processes included. */
export const migrateBench: Bench = {
  name: 'migrate',
  summary:
    'from tailrace serve to a Redis by the command line, against redis-cli --pipe; and comparing the two',
  run: async ({ isQuick }) => [
    ...(await measure(strings(isQuick ? 100_000 : 1_000_000), isQuick ? 1 : 3)),
    ...(await measure(hashes(isQuick ? 10_000 : 100_000), isQuick ? 1 : 3)),
  ],
};
