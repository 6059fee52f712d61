import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { TailraceProcess } from '../crash/tailrace-process.js';
import {
  type KafkaService,
  type PostgresService,
  type RedisService,
  startKafka,
  startPostgres,
  startRedis,
  throwAwayDirectory,
} from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { KafkaReader } from '../support/kafka-reader.js';
import { type ProgramResult, runProgram } from '../support/run-program.js';
import { runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('migrate-targets');
let redis: RedisService;
let postgres: PostgresService;
let kafka: KafkaService;
let engine: Engine;
let server: Server;
let source: Redis;
let database: Client;
beforeAll(async () => {
  [redis, postgres, kafka] = await Promise.all([startRedis(), startPostgres(), startKafka()]);
  database = new Client({ connectionString: postgres.url });
  await database.connect();
  engine = await Engine.open(join(directory.path, 'store'), { sync: 'none' });
  server = await Server.listen(engine, { port: 0 });
  source = new Redis(server.port);
  for (let at = 0; at < 300; at++) await source.set(`s:${at}`, `value ${at}`);
  for (let at = 0; at < 100; at++) await source.hset(`h:${at}`, 'f', `${at}`, 'g', Buffer.of(0, 255, at));
  await source.rpush('list', 'a', 'b', 'a');
  await source.sadd('set', 'x', 'y');
  await source.zadd('zset', 1.5, 'm', Number.POSITIVE_INFINITY, 'n');
  await source.xadd('stream', '1-1', 'f', 'v');
  await source.set('expiring', 'x', 'PXAT', 4_000_000_000_000);
});
afterAll(async () => {
  source.disconnect();
  await database.end();
  await server.close();
  await engine.close();
  await Promise.all([redis.stop(), postgres.stop(), kafka.stop()]);
  directory.remove();
});

const migrate = (name: string, to: string, ...words: string[]): Promise<ProgramResult> =>
  runTailrace(
    ...['migrate', '--from', `redis://127.0.0.1:${server.port}`, '--to', to],
    ...['--name', name, '--state', join(directory.path, `${name}.json`), ...words],
  );

const keysOf = (server: string): Promise<Record<string, unknown>> => withConnection(server, readDataState);

const withConnection = async <Result>(
  url: string,
  run: (connection: RespConnection) => Promise<Result>,
): Promise<Result> => {
  const connection = await RespConnection.open(parseRedisUrl(url));
  try {
    return await run(connection);
  } finally {
    connection.close();
  }
};

describe('migrate', () => {
  it('writes a file that redis-cli --pipe loads, and goes on with it', async () => {
    const path = join(directory.path, 'dump.resp');
    const first = await migrate('resp', path);
    expect(first.status, first.stderr).toBe(0);
    await source.rpush('list', 'later');
    expect((await migrate('resp', path)).status).toBe(0);
    const loaded = await runProgram('redis-cli', ['-p', `${redis.port}`, '--pipe'], readFileSync(path));
    expect(loaded.stdout).toContain('errors: 0');
    expect(await keysOf(redis.url)).toEqual(await keysOf(`redis://127.0.0.1:${server.port}`));
  });

  it('fills a Postgres, and empties it first when told to overwrite', async () => {
    const first = await migrate('pg', postgres.url);
    expect(first.status, first.stderr).toBe(0);
    const count = async (): Promise<unknown> =>
      (await database.query('SELECT count(*)::int AS n FROM tailrace.strings')).rows[0].n;
    expect(await count()).toBe(301);
    const fields = await database.query(
      "SELECT value FROM tailrace.hashes WHERE key = 'h:7' AND field = 'g'",
    );
    expect(fields.rows).toEqual([{ value: Buffer.of(0, 255, 7) }]);
    await source.del('s:0');
    const again = await migrate('pg', postgres.url, '--existing', 'overwrite', '--restart');
    expect(again.status, again.stderr).toBe(0);
    expect(await count()).toBe(300);
    await source.set('s:0', 'value 0');
  });

  it('fills a Kafka', async () => {
    const done = await migrate('kafka', `kafka://${kafka.brokers.join(',')}/copied`);
    expect(done.status, done.stderr).toBe(0);
    const reader = await KafkaReader.open(kafka.brokers);
    const records = await reader.read('copied');
    await reader.close();
    const keys = new Set(records.map(({ value }) => JSON.parse(String(value)).key));
    expect(keys.size).toBe(405);
  });

  it('says what is wrong with the setting of a target', async () => {
    const unknown = await migrate('bad', postgres.url, '--to-option', 'moed=changelog');
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain('did you mean "mode"?');
    expect((await migrate('bad', postgres.url, '--existing', 'skip')).status).toBe(2);
    expect((await migrate('bad', 'gopher://x')).status).toBe(2);
  });
});

describe('a pipeline whose log is gone', () => {
  it('gives every sink a new snapshot, in which what was deleted meanwhile is gone', async () => {
    const file = join(directory.path, 'again.yaml');
    const events = join(directory.path, 'again.ndjson');
    writeFileSync(
      file,
      `name: again
source: { connector: kvrocks, url: "redis://127.0.0.1:${server.port}", snapshot: when-needed }
sinks:
  - { sink: postgres, url: "${postgres.url}", mode: mirror, schema: again, values: bytea }
  - { sink: kafka, brokers: ${JSON.stringify(kafka.brokers)}, topic: again }
  - { sink: file, path: "${events}" }
`,
    );
    const run = new TailraceProcess(['run', file], directory.path);
    const rows = async (): Promise<string[]> =>
      (await database.query("SELECT key FROM again.strings WHERE key LIKE 's:%'")).rows.map(({ key }) => key);
    run.start();
    await waitUntil('the rows are there', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return (await rows().catch(() => [])).length === 300;
    });
    await waitUntil('all have it', () => run.said.split('snapshot done').length === 4);
    expect(await run.stop()).toBe(0);

    // The source is another one, as after a restore: the log does not go on where the sinks stand.
    const { port } = server;
    await server.close();
    await engine.close();
    engine = await Engine.open(join(directory.path, 'restored'), { sync: 'none' });
    server = await Server.listen(engine, { port });
    for (let at = 0; at < 300; at++) if (at !== 7) await source.set(`s:${at}`, `value ${at}`);
    run.start();
    await waitUntil('the row is gone', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      return !(await rows()).includes('s:7');
    });
    // What is written now comes behind the new snapshots.
    await source.set('s:last', 'x');
    const reader = await KafkaReader.open(kafka.brokers);
    const eventsInKafka = async (): Promise<{ op: string; key?: string }[]> =>
      (await reader.read('again')).map(({ value }) => JSON.parse(String(value)));
    await waitUntil('all have it', async () => {
      if (run.failure !== undefined) throw new Error(run.failure);
      const isInFile = readFileSync(events, 'utf8').includes('"s:last"');
      return (
        isInFile &&
        (await rows()).includes('s:last') &&
        (await eventsInKafka()).some(({ key }) => key === 's:last')
      );
    });
    expect(await run.stop()).toBe(0);
    expect((await rows()).length).toBe(300);
    const told = readFileSync(events, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const clear = told.findLastIndex(({ op }) => op === 'clear');
    expect(clear).toBeGreaterThan(400);
    const after = new Set(told.slice(clear).map(({ key }) => key));
    expect(after.has('s:7')).toBe(false);
    expect(after.has('s:8')).toBe(true);
    const ops = (await eventsInKafka()).map(({ op }) => op);
    await reader.close();
    expect(ops).toContain('clear');
  });
});
