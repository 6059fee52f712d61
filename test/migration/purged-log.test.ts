import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { type KafkaService, type PostgresService, startKafka, startPostgres } from '../services/index.js';
import { dataStateOf } from '../support/data-state.js';
import { HttpReceiver } from '../support/http-receiver.js';
import { KafkaReader } from '../support/kafka-reader.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

let ends: MigrationEnds;
let other: MigrationEnds;
let postgres: PostgresService;
let kafka: KafkaService;
let database: Client;
let webhook: HttpReceiver;
beforeAll(async () => {
  // The log keeps only what someone asks for.
  const retention = { keepMs: -60_000, keepBytes: 0, intervalMs: 3_600_000 };
  [ends, other, postgres, kafka, webhook] = await Promise.all([
    MigrationEnds.open('purged-log', '', [], { segmentBytes: 4_096, retention }),
    MigrationEnds.open('purged-log-other'),
    startPostgres(),
    startKafka(),
    HttpReceiver.open(),
  ]);
  database = new Client({ connectionString: postgres.url });
  await database.connect();
  await ends.source.call('JSON.SET', 'json', '$', '{"a":1}');
  for (let at = 0; at < 60; at++) await ends.source.set(`s:${at}`, 'x'.repeat(100));
  await ends.source.hset('hash', 'f', '1', 'g', '2');
  await ends.source.rpush('list', 'a', 'b');
  await ends.source.zadd('zset', 1, 'm');
});
afterAll(async () => {
  await database.end();
  await webhook[Symbol.asyncDispose]();
  await Promise.all([
    ends[Symbol.asyncDispose](),
    other[Symbol.asyncDispose](),
    postgres.stop(),
    kafka.stop(),
  ]);
});

const file = (snapshot: string, sinks: readonly string[]): string => {
  const path = join(ends.directory, `${snapshot}.yaml`);
  writeFileSync(
    path,
    `name: purged
source: { connector: kvrocks, url: "${ends.sourceUrl}", snapshot: ${snapshot} }
sinks:
${sinks.map((sink) => `  - ${sink}\n`).join('')}`,
  );
  return path;
};

const everySink = (): string[] => [
  `{ sink: redis, url: "${ends.redis.url}" }`,
  `{ sink: kvrocks, url: "${other.sourceUrl}" }`,
  `{ sink: postgres, name: mirror, url: "${postgres.url}", mode: mirror, schema: mirror, values: bytea }`,
  `{ sink: postgres, name: changelog, url: "${postgres.url}", mode: changelog, schema: changelog, values: bytea }`,
  `{ sink: kafka, brokers: ${JSON.stringify(kafka.brokers)}, topic: purged }`,
  `{ sink: file, path: "${join(ends.directory, 'purged.ndjson')}" }`,
  `{ sink: webhook, url: "${webhook.url}", body: ndjson }`,
];

interface Told {
  readonly op: string;
  readonly key?: string;
}

/** Keys that there are when these changes have been applied in their order. */
const keysBehind = (told: readonly Told[]): string[] => {
  const keys = new Set<string>();
  for (const { op, key } of told)
    if (op === 'clear') keys.clear();
    else if (op === 'delete' && key !== undefined) keys.delete(key);
    else if (key !== undefined) keys.add(key);
  return [...keys].sort();
};

const inChangelog = async (): Promise<Told[]> =>
  (await database.query<Told>('SELECT op, key FROM changelog.changes ORDER BY seq, index')).rows;

const inKafka = async (): Promise<Told[]> => {
  const reader = await KafkaReader.open(kafka.brokers);
  try {
    const records = await reader.read('purged');
    return records.map(({ value }) => JSON.parse(String(value)) as Told);
  } finally {
    await reader.close();
  }
};

const inFile = (): Told[] => linesOf(readFileSync(join(ends.directory, 'purged.ndjson'), 'utf8'));

const inWebhook = (): Told[] => webhook.requests.flatMap(({ body }) => linesOf(String(body)));

const linesOf = (text: string): Told[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);

const inMirror = async (): Promise<string[]> => {
  const tables = ['strings', 'json', 'collections'].map((table) => `SELECT key FROM mirror.${table}`);
  const { rows } = await database.query<{ key: string }>(tables.join(' UNION '));
  return rows.map(({ key }) => key).sort();
};

/** The last change has come, behind a snapshot in which what was deleted is missing. */
const isRenewed = async (store: Redis): Promise<boolean> =>
  (await store.exists('last')) === 1 && (await store.exists('s:7')) === 0;

const isToldAnew = (changes: readonly Told[]): boolean => {
  const cleared = changes.findLastIndex(({ op }) => op === 'clear');
  return cleared >= 0 && changes.slice(cleared + 1).some(({ key }) => key === 'last');
};

/** Every sink holds what the source holds. */
const expectSame = async (): Promise<void> => {
  const state = await dataStateOf(ends.sourceUrl);
  const keys = Object.keys(state).sort();
  expect(await dataStateOf(ends.redis.url)).toEqual(state);
  expect(await dataStateOf(other.sourceUrl)).toEqual(state);
  expect(await inMirror()).toEqual(keys);
  expect(keysBehind(await inChangelog())).toEqual(keys);
  expect(keysBehind(await inKafka())).toEqual(keys);
  expect(keysBehind(inFile())).toEqual(keys);
  expect(keysBehind(inWebhook())).toEqual(keys);
};

describe('a pipeline with a sink of every kind', () => {
  it('gives each of them all keys and ends, when it is only a snapshot', async () => {
    const run = new TailraceProcess(['run', file('only', everySink())], ends.directory);
    run.start();
    await run.ended();
    expect(run.exitCode, run.said).toBe(0);
    await expectSame();
  });

  it('gives each of them a new snapshot when the log is purged, and what was deleted meanwhile is gone', async () => {
    await ends.source.del('s:7', 'zset');
    for (let at = 100; at < 160; at++) await ends.source.set(`s:${at}`, 'y'.repeat(100));
    await ends.source.rpush('list', 'c');
    await ends.source.hdel('hash', 'g');
    for (const { name } of ends.engine.slots.list()) await ends.source.call('SLOT', 'DROP', name);
    await ends.engine.flush();
    await ends.engine.trimLog();
    expect(ends.engine.stats().firstLogSequence).toBeGreaterThan(100);

    const run = new TailraceProcess(['run', file('when-needed', everySink())], ends.directory);
    run.start();
    // What is written now is kept for it, and comes behind the snapshots.
    await ends.source.rpush('list', 'd');
    let lacking: string[] = [];
    const whatLacks = (): string =>
      `a new snapshot and the last change in ${lacking.join(', ')}: ${run.said}`;
    await waitUntil(whatLacks, async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      await ends.source.set('last', `${Date.now()}`);
      const has = {
        redis: await isRenewed(ends.target),
        kvrocks: await isRenewed(other.source),
        mirror: (await inMirror()).includes('last'),
        changelog: isToldAnew(await inChangelog()),
        kafka: isToldAnew(await inKafka()),
        file: isToldAnew(inFile()),
        webhook: isToldAnew(inWebhook()),
      };
      lacking = Object.entries(has).flatMap(([name, isThere]) => (isThere ? [] : [name]));
      return lacking.length === 0;
    });
    const { sequence } = ends.engine;
    await waitUntil(
      () => `all have come to the end of the log: ${run.said}`,
      () => {
        const slot = ends.engine.slots.list().find(({ name }) => name === 'purged');
        return (slot?.acknowledged ?? 0) >= sequence;
      },
    );
    expect(await run.stop()).toBe(0);
    await expectSame();
  });

  it('is refused by validate where a sink takes whole batches of the log alone', async () => {
    const raw = `{ sink: file, path: "${join(ends.directory, 'raw')}", format: raw }`;
    const refused = await runTailrace('validate', file('initial', [raw]));
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('cannot be given a snapshot');
    expect(refused.stderr).toContain('snapshot: never');
    const never = await runTailrace('validate', file('never', [raw]));
    expect(never.status, never.stderr).toBe(0);
  });
});
