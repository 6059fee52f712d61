import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RespConnection } from '../src/resp/index.js';
import { freePort, startDaemon } from '../test/services/daemon.js';
import { startRedis } from '../test/services/index.js';
import { type Bench, result } from './harness.js';

const program = fileURLToPath(new URL('../../bin/tailrace.js', import.meta.url));
const limitMiB = 200;

/** Resident memory of a process in MiB (Linux). */
const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const call = async (port: number, ...words: string[]): Promise<unknown> => {
  const connection = await RespConnection.open({ host: '127.0.0.1', port });
  const reply = await connection.call(...words);
  connection.close();
  return reply;
};

export const runMemory: Bench = {
  name: 'run-memory',
  summary:
    'resident memory of `tailrace run`, at full speed and with a sink that is stopped, 1 M changes behind',
  run: async ({ isQuick }) => {
    const changes = isQuick ? 200_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const redis = await startRedis();
    const port = await freePort();
    const serve = await startDaemon(
      process.execPath,
      [
        program,
        'serve',
        '--quiet',
        '--dir',
        join(directory, 'store'),
        '--listen',
        `127.0.0.1:${port}`,
        '--sync',
        'none',
      ],
      () =>
        call(port, 'PING').then(
          () => true,
          () => false,
        ),
    );
    try {
      await new Promise((resolve) =>
        spawn(
          'redis-benchmark',
          ['-p', `${port}`, '-t', 'set', '-d', '100', '-r', '1000000', '-n', `${changes}`, '-P', '64', '-q'],
          { stdio: 'ignore' },
        ).once('exit', resolve),
      );
      const sequence = Number(await call(port, 'SEQUENCE'));
      const peakOf = async (name: string, isStalled: boolean): Promise<number> => {
        const file = join(directory, `${name}.yaml`);
        writeFileSync(
          file,
          `name: ${name}\nsource: { connector: kvrocks, url: "redis://127.0.0.1:${port}" }\nsinks: [{ sink: redis, url: "${redis.url}" }]\n`,
        );
        const run = spawn(process.execPath, [program, 'run', '--quiet', file], { stdio: 'ignore' });
        const pid = run.pid as number;
        let peak = 0;
        const done = async (): Promise<boolean> =>
          String(await call(redis.port, 'HGET', `tailrace:${name}:position`, 'sequence')) === `${sequence}`;
        if (isStalled) {
          await delay(800);
          process.kill(redis.pid, 'SIGSTOP');
          for (const until = performance.now() + 5_000; performance.now() < until; await delay(50))
            peak = Math.max(peak, residentMiB(pid));
          process.kill(redis.pid, 'SIGCONT');
        }
        for (; !(await done()); await delay(50)) peak = Math.max(peak, residentMiB(pid));
        const ended = new Promise((resolve) => run.once('exit', resolve));
        run.kill('SIGTERM');
        await ended;
        return peak;
      };
      // A limit is kept when the limit divided by the figure is 1 or more.
      const full = await peakOf('full-speed', false);
      const stalled = await peakOf('stalled-sink', true);
      return [
        {
          ...result('peak at full speed', full, 'MiB', `the limit of ${limitMiB} MiB`, limitMiB, 0),
          ratio: limitMiB / full,
          target: 1,
          met: full <= limitMiB,
        },
        {
          ...result(
            'peak with the sink stopped for 5 s',
            stalled,
            'MiB',
            `the limit of ${limitMiB} MiB`,
            limitMiB,
            0,
          ),
          ratio: limitMiB / stalled,
          target: 1,
          met: stalled <= limitMiB,
        },
      ];
    } finally {
      await serve.end();
      await redis.stop();
      rmSync(directory, { recursive: true });
    }
  },
};
