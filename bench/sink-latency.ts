import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { EngineSource } from '../connectors/engine/index.js';
import { makePostgresSink } from '../sinks/postgres/make-sink.js';
import { RedisSink } from '../sinks/redis/index.js';
import { Engine } from '../src/engine/index.js';
import { parseRedisUrl, RespConnection, type Sink } from '../src/kit/index.js';
import { Pipeline } from '../src/pipeline/index.js';
import { startPostgres, startRedis } from '../test/services/index.js';
import { CommandRunner } from '../test/support/command-runner.js';
import { pluginContext } from '../test/support/plugin-context.js';
import type { Bench, BenchResult } from './harness.js';

/** A sink, and how an observer with a connection of his own sees how far its target is. */
interface Observed extends AsyncDisposable {
  readonly name: string;
  /** What 99 of 100 changes may take. */
  readonly limitMs: number;
  readonly sink: Sink;
  /** The last sequence number that is visible in the target. */
  visible(): Promise<number>;
}

const observedRedis = async (): Promise<Observed> => {
  const service = await startRedis();
  const options = { url: service.url, password: '', positionKey: 'position', namespaces: { default: '' } };
  const sink = new RedisSink(options, pluginContext('bench'));
  const observer = await RespConnection.open(parseRedisUrl(service.url));
  return {
    name: 'Redis',
    limitMs: 25,
    sink,
    visible: async () => Number((await observer.call('HGET', 'position', 'sequence')) ?? 0),
    [Symbol.asyncDispose]: async () => {
      observer.close();
      await sink[Symbol.asyncDispose]();
      await service.stop();
    },
  };
};

const observedPostgres = async (): Promise<Observed> => {
  const service = await startPostgres();
  const sink = makePostgresSink(
    {
      ...{
        url: service.url,
        password: '',
        mode: 'changelog',
        schema: 'tailrace',
        table: 'changes',
        tables: [],
      },
      ...{ keys: 'text', values: 'text', sync: 'interval', writeTimeout: 60_000 },
    },
    pluginContext('bench'),
  );
  const observer = new pg.Client(service.url);
  await observer.connect();
  // The sink makes its tables when it is claimed; an observer may come before.
  await sink.claim(new AbortController().signal);
  return {
    name: 'Postgres',
    limitMs: 50,
    sink,
    visible: async () => {
      const { rows } = await observer.query<{ last: string | null }>(
        'SELECT max(seq) AS last FROM tailrace.changes',
      );
      return Number(rows[0]?.last ?? 0);
    },
    [Symbol.asyncDispose]: async () => {
      await observer.end();
      await sink[Symbol.asyncDispose]();
      await service.stop();
    },
  };
};

/**
 * Commits at a steady rate, synced as a server syncs them, and asks the target all the while how far it is. Latencies
 * are from the commit to the first answer that shows it, in ms; what the first second brought is left out.
 */
const measure = async (
  directory: string,
  target: Observed,
  perSecond: number,
  forMs: number,
): Promise<number[]> => {
  await using engine = await Engine.open(directory, { sync: 'always' });
  const commands = new CommandRunner(engine);
  const stop = new AbortController();
  const pipeline = new Pipeline({
    name: 'bench',
    source: new EngineSource(engine),
    sinks: [{ name: 'sink', sink: target.sink }],
    log: pluginContext('bench').log,
  });
  const done = pipeline.run(stop.signal);
  const committedAt: number[] = [];
  const latencies: number[] = [];
  const value = Buffer.alloc(100, 'x');
  const start = performance.now();
  const warmUp = Math.min(1_000, forMs / 2);
  const total = Math.round((perSecond * (forMs + warmUp)) / 1_000);
  const commitDue = (): void => {
    const due = Math.min(total, ((performance.now() - start) * perSecond) / 1_000);
    while (committedAt.length < due) {
      commands.run('SET', `key:${committedAt.length % 10_000}`, value);
      committedAt.push(performance.now());
    }
  };
  const writer = setInterval(commitDue, 1);
  let seen = 0;
  while (seen < total) {
    const visible = await target.visible(); // each SET takes one sequence number
    const now = performance.now();
    for (; seen < visible; seen++)
      if (committedAt[seen] - start > warmUp) latencies.push(now - committedAt[seen]);
    await delay(1);
  }
  clearInterval(writer);
  stop.abort();
  await done;
  return latencies.sort((a, b) => a - b);
};

/** From the commit in the store to being visible in the target, by the target's own word. */
export const sinkLatencyBench: Bench = {
  name: 'sink-latency',
  summary: 'from the commit in the store to visible in Redis and Postgres, at a steady rate, 100 B values',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const results: BenchResult[] = [];
    try {
      for (const observed of [observedRedis, observedPostgres])
        for (const perSecond of [1_000, 10_000]) {
          await using target = await observed();
          const { name, limitMs } = target;
          const store = join(directory, `${name}-${perSecond}`);
          const latencies = await measure(store, target, perSecond, isQuick ? 2_000 : 15_000);
          for (const [word, part] of [
            ['p50', 0.5],
            ['p99', 0.99],
          ] as const) {
            const took = latencies[Math.floor(latencies.length * part)] ?? Number.NaN;
            results.push({
              ...{
                name: `${perSecond.toLocaleString('en-US')} changes/s to ${name}, ${word}`,
                value: took,
                unit: 'ms',
              },
              ...{ peer: 'the limit, the other way round', peerValue: limitMs },
              ...{ ratio: limitMs / took, target: 1, met: took <= limitMs },
            });
          }
        }
      return results;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
