import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { RespConnection } from '../src/resp/index.js';
import { freePort } from '../test/services/daemon.js';
import { startKafka, startPostgres, startRedis } from '../test/services/index.js';
import { program } from '../test/support/tailrace-program.js';
import { atMost, type Bench, type BenchResult } from './harness.js';
import { startServe } from './serve.js';
import { residentBytes } from './store/process-figures.js';

const limitMiB = 200;

/** A sink's entry in a pipeline file, and how its target is made to stand still. */
interface Target {
  readonly name: string;
  readonly entry: Readonly<Record<string, unknown>>;
  /** Resolves to what makes it go on; absent where nothing can hold it up. */
  readonly stall?: () => Promise<() => unknown>;
}

const call = async (port: number, ...words: string[]): Promise<unknown> => {
  const connection = await RespConnection.open({ host: '127.0.0.1', port });
  const reply = await connection.call(...words);
  connection.close();
  return reply;
};

const stopped = (pid: number) => async (): Promise<() => unknown> => {
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
};

export const runMemory: Bench = {
  name: 'run-memory',
  summary:
    'resident memory of `tailrace run`, at full speed and with a target that stands still, 1 M changes behind',
  run: async ({ isQuick }) => {
    const changes = isQuick ? 200_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const redis = await startRedis();
    const postgres = await startPostgres();
    const kafka = await startKafka({ jvm: 'full' });
    const database = new pg.Client(postgres.url);
    await database.connect();
    const serve = await startServe(join(directory, 'store'));
    const { port } = serve;
    const targets: readonly Target[] = [
      { name: 'redis', entry: { sink: 'redis', url: redis.url }, stall: stopped(redis.pid) },
      {
        name: 'postgres',
        entry: { sink: 'postgres', url: postgres.url },
        stall: async () => {
          await database.query('BEGIN; LOCK TABLE tailrace.positions IN ACCESS EXCLUSIVE MODE');
          return () => database.query('ROLLBACK');
        },
      },
      { name: 'kafka', entry: { sink: 'kafka', brokers: kafka.brokers }, stall: stopped(kafka.pid) },
      { name: 'file', entry: { sink: 'file', path: join(directory, 'changes.ndjson') } },
    ];
    try {
      await new Promise((resolve) =>
        spawn(
          'redis-benchmark',
          ['-p', `${port}`, '-t', 'set', '-d', '100', '-r', '1000000', '-n', `${changes}`, '-P', '64', '-q'],
          { stdio: 'ignore' },
        ).once('exit', resolve),
      );
      const sequence = Number(await call(port, 'SEQUENCE'));
      const peakOf = async ({ name, entry }: Target, stall?: Target['stall']): Promise<number> => {
        const pipeline = stall === undefined ? name : `${name}-stalled`;
        const file = join(directory, `${pipeline}.json`);
        const source = { connector: 'kvrocks', url: `redis://127.0.0.1:${port}` };
        writeFileSync(file, JSON.stringify({ name: pipeline, source, sinks: [entry] }));
        const admin = `127.0.0.1:${await freePort()}`;
        const run = spawn(process.execPath, [program, 'run', '--quiet', '--admin', admin, file], {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        const { pid = 0 } = run;
        let peak = 0;
        const watchUntil = async (isOver: () => Promise<boolean> | boolean): Promise<void> => {
          while (!(await isOver())) {
            if (run.exitCode !== null) throw new Error(`tailrace run ended with ${run.exitCode}`);
            peak = Math.max(peak, residentBytes(pid) / 2 ** 20);
            await delay(20);
          }
        };
        const position = (): Promise<number> => positionAt(admin);
        if (stall !== undefined) {
          await watchUntil(async () => (await position()) > 0);
          const goOn = await stall();
          const until = performance.now() + 5_000;
          await watchUntil(() => performance.now() > until);
          await goOn();
        }
        await watchUntil(async () => (await position()) === sequence);
        const ended = new Promise((resolve) => run.once('exit', resolve));
        run.kill('SIGTERM');
        await ended;
        return peak;
      };
      const results: BenchResult[] = [];
      for (const target of targets) {
        results.push(atMost(`peak at full speed, ${target.name}`, await peakOf(target), 'MiB', limitMiB));
        await database.query('DROP TABLE IF EXISTS tailrace.changes');
        if (target.stall === undefined) continue;
        const peak = await peakOf(target, target.stall);
        results.push(atMost(`peak with ${target.name} stopped for 5 s`, peak, 'MiB', limitMiB));
      }
      return results;
    } finally {
      await serve.stop();
      await database.end();
      await kafka.stop();
      await postgres.stop();
      await redis.stop();
      rmSync(directory, { recursive: true });
    }
  },
};

/** What the sink of a run holds, as its status tells; 0 while it does not answer. */
const positionAt = async (admin: string): Promise<number> => {
  try {
    const response = await fetch(`http://${admin}/status`);
    const { pipelines } = (await response.json()) as {
      pipelines: { sinks: { position: { sequence: number } | null }[] }[];
    };
    return pipelines[0]?.sinks[0]?.position?.sequence ?? 0;
  } catch {
    return 0; // it is starting
  }
};
