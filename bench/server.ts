import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RespConnection } from '../src/resp/index.js';
import { freePort, startDaemon } from '../test/services/daemon.js';
import { startRedis } from '../test/services/index.js';
import { alternate, type Bench, type BenchResult, result, seconds } from './harness.js';

const program = fileURLToPath(new URL('../../bin/tailrace.js', import.meta.url));

const answersPing = async (port: number): Promise<boolean> => {
  try {
    const connection = await RespConnection.open({ host: '127.0.0.1', port }, { timeoutMs: 1000 });
    connection.close();
    return true;
  } catch {
    return false;
  }
};

/** `tailrace serve` as a process of its own. */
export const startServe = async (
  directory: string,
  sync: string,
): Promise<{ port: number; stop(): Promise<void> }> => {
  const port = await freePort();
  const daemon = await startDaemon(
    'node',
    [program, 'serve', '--quiet', '--dir', directory, '--listen', `127.0.0.1:${port}`, '--sync', sync],
    () => answersPing(port),
  );
  return { port, stop: () => daemon.end() };
};

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

export const serverBench: Bench = {
  name: 'server',
  summary: 'redis-benchmark -t set,get -d 100 -c 50 against tailrace serve and redis-server in turn',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const redis = await startRedis(['--appendonly', 'no']);
    const ours = await startServe(join(directory, 'none'), 'none');
    const synced = await startServe(join(directory, 'always'), 'always');
    const results: BenchResult[] = [];
    try {
      for (const [pipeline, target] of [
        [1, 0.5],
        [16, 0.4],
        [64, 0.4],
      ] as const) {
        const requests = (isQuick ? 20_000 : 100_000) * (pipeline === 1 ? 1 : 5);
        for (const test of ['set', 'get']) {
          const [a = 0, b = 0, c = 0] = await alternate(isQuick ? 1 : 3, [
            async () => benchmark(ours.port, test, pipeline, requests),
            async () => benchmark(redis.port, test, pipeline, requests),
            async () => benchmark(synced.port, test, pipeline, requests),
          ]);
          results.push(
            result(
              `${test} -P ${pipeline}, sync none`,
              a,
              'ops/s',
              'redis-server without persistence',
              b,
              target,
            ),
          );
          if (test === 'set')
            results.push(
              result(
                `${test} -P ${pipeline}, sync always`,
                c,
                'ops/s',
                'redis-server without persistence',
                b,
                0,
              ),
            );
        }
      }
      return results;
    } finally {
      await ours.stop();
      await synced.stop();
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
    const serve = await startServe(directory, 'none');
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
