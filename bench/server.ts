import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteWriter, RespConnection, writeCommand } from '../src/resp/index.js';
import { startRedis } from '../test/services/index.js';
import { alternate, type Bench, type BenchResult, result, seconds } from './harness.js';
import { startServe } from './serve.js';
import { residentBytes } from './store/process-figures.js';

/** Operations a second by redis-benchmark with 50 connections, 100-byte values, 100,000 keys. */
export const benchmark = (port: number, test: string, pipeline: number, requests: number): number => {
  const run = spawnSync(
    'redis-benchmark',
    [
      '-p',
      `${port}`,
      '-t',
      test,
      '-d',
      '100',
      '-c',
      '50',
      '-r',
      '100000',
      '-n',
      `${requests}`,
      '-P',
      `${pipeline}`,
      '--csv',
    ],
    { encoding: 'utf8' },
  );
  return Number(run.stdout.split('\n')[1]?.split(',')[1]?.replaceAll('"', ''));
};

/** What is compared: how our server syncs, how Redis keeps what it is given, and of which commands. */
const matches = [
  {
    sync: 'none',
    redis: ['--appendonly', 'no'],
    peer: 'redis-server without persistence',
    isFor: () => true,
  },
  {
    // Both hand every write to the kernel, in a log, before they answer.
    sync: 'none',
    redis: ['--appendonly', 'yes', '--appendfsync', 'no', '--auto-aof-rewrite-percentage', '0'],
    peer: 'redis-server with a log, unsynced',
    isFor: (command: string) => command !== 'get',
  },
  {
    sync: 'always',
    redis: ['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0'],
    peer: 'redis-server with a log, synced',
    isFor: (command: string) => command === 'set',
  },
] as const;

/** Which commands are sent how deeply pipelined, and the ratio that is asked where nothing is synced. */
const loads = [
  { pipeline: 1, commands: ['set', 'get'], target: 0.5 },
  { pipeline: 16, commands: ['set', 'get', 'incr', 'lpush', 'rpop', 'sadd', 'hset', 'zadd'], target: 0.5 },
  { pipeline: 64, commands: ['set', 'get'], target: 0.4 },
] as const;

export const serverBench: Bench = {
  name: 'server',
  summary: 'redis-benchmark -d 100 -c 50 against tailrace serve and redis-server in turn',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const results: BenchResult[] = [];
    for (const { sync, redis, peer, isFor } of matches) {
      const ours = await startServe(join(directory, peer), sync);
      const theirs = await startRedis(redis);
      try {
        for (const { pipeline, commands, target } of loads) {
          const requests = (isQuick ? 20_000 : 100_000) * (pipeline === 1 ? 1 : 5);
          for (const command of commands.filter(isFor)) {
            const [mine = 0, figure = 0] = await alternate(
              isQuick ? 1 : 3,
              [ours, theirs].map(
                ({ port }) =>
                  async () =>
                    benchmark(port, command, pipeline, requests),
              ),
            );
            const name = `${command} -P ${pipeline}, sync ${sync}`;
            results.push(result(name, mine, 'ops/s', peer, figure, sync === 'none' ? target : 0));
          }
        }
      } finally {
        await ours.stop();
        await theirs.stop();
      }
    }
    rmSync(directory, { recursive: true });
    return results;
  },
};

/** What a server grows by when it takes small strings, in MiB. */
const growthBy = async (port: number, pid: number, keys: number): Promise<number> => {
  const before = residentBytes(pid);
  const connection = await RespConnection.open({ host: '127.0.0.1', port });
  const out = new ByteWriter();
  for (let i = 0; i < keys; ) {
    const end = Math.min(keys, i + 1_000);
    for (let at = i; at < end; at++) writeCommand(out, ['SET', `user:${at}:name`, 'twenty bytes of name']);
    await connection.send(out.take(), end - i);
    i = end;
  }
  connection.close();
  return (residentBytes(pid) - before) / 2 ** 20;
};

export const serverMemoryBench: Bench = {
  name: 'server-memory',
  summary: 'strings of 20 B by what a server grows for them in resident memory',
  run: async ({ isQuick }) => {
    const keys = isQuick ? 200_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const redis = await startRedis(['--appendonly', 'no']);
    const ours = await startServe(directory);
    try {
      const mine = await growthBy(ours.port, ours.pid, keys);
      const theirs = await growthBy(redis.port, redis.pid, keys);
      return [result('small strings', keys / mine, 'keys/MiB', 'redis-server', keys / theirs, 1 / 1.5)];
    } finally {
      await ours.stop();
      await redis.stop();
      rmSync(directory, { recursive: true });
    }
  },
};

export const pollUpdatesBench: Bench = {
  name: 'pollupdates',
  summary: 'draining SETs of 100 B by POLLUPDATES MAX 1000 with one client',
  run: async ({ isQuick }) => {
    const changes = isQuick ? 100_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const serve = await startServe(directory);
    try {
      await new Promise((resolve) =>
        spawn(
          'redis-benchmark',
          [
            '-p',
            `${serve.port}`,
            '-t',
            'set',
            '-d',
            '100',
            '-r',
            '1000000',
            '-n',
            `${changes}`,
            '-P',
            '64',
            '-q',
          ],
          { stdio: 'ignore' },
        ).once('exit', resolve),
      );
      const connection = await RespConnection.open({ host: '127.0.0.1', port: serve.port });
      const pollMs: number[] = [];
      let sequence = 0;
      const total = await seconds(async () => {
        for (let count = 1; count > 0; ) {
          const start = performance.now();
          const reply = (await connection.call('POLLUPDATES', sequence, 'MAX', 1000, 'STRICT')) as [
            unknown,
            number,
            unknown,
            number,
            unknown,
            unknown[],
          ];
          pollMs.push(performance.now() - start);
          count = reply[5].length;
          sequence = reply[1];
        }
      });
      connection.close();
      if (sequence < changes) throw new Error(`drained ${sequence} of ${changes}`);
      pollMs.pop(); // the one that found nothing more
      const mean = (values: number[]): number =>
        values.reduce((sum, value) => sum + value, 0) / values.length;
      const share = Math.max(1, Math.floor(pollMs.length / 10));
      const [early, late] = [mean(pollMs.slice(0, share)), mean(pollMs.slice(-share))];
      return [
        result('drain', sequence / total, 'changes/s', 'the limit of 300 k/s', 300_000, 1),
        result('speed of the last polls', 1000 / late, 'polls/s', 'the first polls', 1000 / early, 0.8),
      ];
    } finally {
      await serve.stop();
      rmSync(directory, { recursive: true });
    }
  },
};

/** Round trips a second of `work`, done one after the other. */
const oneByOne = async (rounds: number, work: () => Promise<void>): Promise<number> => {
  for (let i = 0; i < rounds / 10; i++) await work(); // warm
  return (
    rounds /
    (await seconds(async () => {
      for (let i = 0; i < rounds; i++) await work();
    }))
  );
};

export const followBench: Bench = {
  name: 'follow',
  summary:
    'a change written, then waited for at a client that follows by POLLUPDATES BLOCK, one by one; against a message through pub/sub of redis-server',
  run: async ({ isQuick }) => {
    const rounds = isQuick ? 500 : 5_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const redis = await startRedis(['--appendonly', 'no']);
    const ours = await startServe(directory);
    try {
      const [writer, follower] = await Promise.all(
        [1, 2].map(() => RespConnection.open({ host: '127.0.0.1', port: ours.port })),
      );
      const [publisher, subscriber] = await Promise.all(
        [1, 2].map(() => RespConnection.open({ host: '127.0.0.1', port: redis.port })),
      );
      if (!writer || !follower || !publisher || !subscriber) throw new Error('not connected');
      const value = Buffer.alloc(100, 'x');
      let sequence = 0;
      const follow = async (): Promise<void> => {
        const next = follower.call('POLLUPDATES', sequence, 'FORMAT', 'BINARY', 'BLOCK', 0);
        const [reply] = await Promise.all([next, writer.call('SET', 'key', value)]);
        sequence = Number((reply as unknown[])[1]);
      };
      await subscriber.call('SUBSCRIBE', 'channel');
      const listen = async (): Promise<void> => {
        const next = subscriber.send(Buffer.alloc(0), 1);
        await Promise.all([next, publisher.call('PUBLISH', 'channel', value)]);
      };
      const [mine = 0, theirs = 0] = await alternate(isQuick ? 1 : 3, [
        () => oneByOne(rounds, follow),
        () => oneByOne(rounds, listen),
      ]);
      for (const connection of [writer, follower, publisher, subscriber]) connection.close();
      return [result('changes one by one', mine, 'changes/s', 'pub/sub of redis-server', theirs, 0)];
    } finally {
      await ours.stop();
      await redis.stop();
      rmSync(directory, { recursive: true });
    }
  },
};
