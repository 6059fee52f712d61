import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { Decoder } from '../../src/kit/index.js';
import { freePort, startRedis, throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { LoadWriter } from './load-writer.js';
import { TailraceProcess } from './tailrace-process.js';

/** How often each of `run` and `serve` is killed; KILLS=1000 for the long setting. */
const kills = Number(process.env['KILLS'] ?? 50);

it(
  `the file and the Redis hold exactly what the engine holds after ${kills} kills each of run and serve under load`,
  async () => {
    const random = SeededRandom.fromEnvironment('kills of run and serve');
    const directory = throwAwayDirectory('crash');
    const port = await freePort();
    const redis = await startRedis();
    const store = join(directory.path, 'store');
    const file = join(directory.path, 'changes.ndjson');
    writeFileSync(
      join(directory.path, 'pipelines.yaml'),
      `pipelines:
  - name: crash-file
    source: { connector: kvrocks, url: "redis://127.0.0.1:${port}" }
    sinks: [{ sink: file, path: ${file} }]
  - name: crash-redis
    source: { connector: kvrocks, url: "redis://127.0.0.1:${port}" }
    sinks: [{ sink: redis, url: "${redis.url}" }]
`,
    );
    const serve = new TailraceProcess(
      ['serve', '--dir', store, '--listen', `127.0.0.1:${port}`, '--sync', 'always'],
      directory.path,
    );
    const run = new TailraceProcess(['run', 'pipelines.yaml'], directory.path);
    const load = new LoadWriter(port, new SeededRandom(random.below(2 ** 32)));
    try {
      serve.start();
      run.start();
      load.start();
      while (run.kills < kills || serve.kills < kills) {
        await delay(150 + random.below(350));
        const victim = serve.kills >= kills || (run.kills < kills && random.next() < 0.5) ? run : serve;
        await victim.killAndRestart();
        expect([run.failure, serve.failure]).toEqual([undefined, undefined]);
      }
      await delay(500);
      await load.stop();
      const source = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: null });
      const target = new Redis(redis.url);
      await source.set('the-end', String(random.seed));
      await waitUntil(
        'Redis has the last write',
        async () => (await target.get('the-end')) === String(random.seed),
        60_000,
      );
      await waitUntil(
        'the file has the last write',
        () => readFileSync(file, 'utf8').includes('"the-end"'),
        60_000,
      );
      expect([run.failure, serve.failure]).toEqual([undefined, undefined]);
      expect(load.commands).toBeGreaterThan(kills * 50);

      for (const [key, value] of load.acknowledged)
        expect(Number(await source.get(key))).toBeGreaterThanOrEqual(value);
      await expectSameContent(source, target);
      source.disconnect();
      target.disconnect();
      expect(await run.stop()).toBe(0);
      expect(await serve.stop()).toBe(0);
      await expectWholeHistory(store, file);
      console.log(`${load.commands} commands acknowledged, ${run.kills} + ${serve.kills} kills`);
    } finally {
      await load.stop();
      await run.kill();
      await serve.kill();
      await redis.stop();
      directory.remove();
    }
  },
  kills * 4_000 + 120_000,
);

/** Every key of both sides, with type, value and expiry. */
const expectSameContent = async (source: Redis, target: Redis): Promise<void> => {
  const keysOf = async (redis: Redis): Promise<string[]> =>
    (await redis.keys('*')).filter((key) => !key.startsWith('tailrace:')).sort();
  const keys = await keysOf(source);
  expect(await keysOf(target)).toEqual(keys);
  expect(keys.length).toBeGreaterThan(50);
  for (const key of keys)
    expect([key, await contentOf(target, key)]).toEqual([key, await contentOf(source, key)]);
};

const contentOf = async (redis: Redis, key: string): Promise<unknown> => {
  const type = await redis.type(key);
  const expiry = Math.round((await redis.pttl(key)) / 10_000); // both sides are asked a moment apart
  if (type === 'string') return { type, expiry, value: await redis.get(key) };
  if (type === 'hash') return { type, expiry, value: Object.entries(await redis.hgetall(key)).sort() };
  if (type === 'list') return { type, expiry, value: await redis.lrange(key, 0, -1) };
  // Redis 7 prints scores with 17 digits, we print the shortest text of the same number.
  const scores = await redis.zrange(key, '0', '-1', 'WITHSCORES');
  return { type, expiry, value: scores.map((text, i) => (i % 2 === 1 ? Number(text) : text)) };
};

interface Line {
  readonly seq: number;
  readonly index: number;
  readonly tx: { readonly first: number; readonly last: number; readonly size: number };
}

/** The file holds each change of each batch of the log once and in order. */
const expectWholeHistory = async (store: string, file: string): Promise<void> => {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  let before: Line | undefined;
  for (const line of lines) {
    const isNext =
      before === undefined ||
      line.tx.first > before.tx.first ||
      (line.tx.first === before.tx.first && line.index === before.index + 1);
    if (!isNext) throw new Error(`${JSON.stringify(line)} stands behind ${JSON.stringify(before)}`);
    before = line;
  }
  await using engine = await Engine.open(store);
  const decoder = new Decoder();
  const expected: number[] = [];
  const iterator = engine.walIterator(0);
  for (const batch of iterator)
    if (decoder.decode(Buffer.from(batch.bytes)).changes.length > 0) expected.push(batch.sequence);
  expect([...new Set(lines.map((line) => line.tx.first))]).toEqual(expected);
};
