import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { fillStore, openMigration, positionKey, writeRandomly } from './migration-setup.js';

let service: RedisService;
let engine: Engine;
let server: Server;
let directory: ReturnType<typeof throwAwayDirectory>;
let url: string;
const signal = new AbortController().signal;

beforeAll(async () => {
  service = await startRedis();
});
afterAll(() => service.stop());
beforeEach(async () => {
  directory = throwAwayDirectory('migration');
  engine = await Engine.open(`${directory.path}/store`, { sync: 'always' });
  server = await Server.listen(engine, { port: 0 });
  url = `redis://127.0.0.1:${server.port}`;
  const redis = await RespConnection.open(parseRedisUrl(service.url));
  await redis.call('FLUSHALL');
  redis.close();
});
afterEach(async () => {
  await server.close();
  await engine.close();
  directory.remove();
});

/** A HyperLogLog has no command that reads it. */
const expectSame = async (isIgnored: (key: string) => boolean = () => false): Promise<void> => {
  const source = await RespConnection.open(parseRedisUrl(url));
  const target = await RespConnection.open(parseRedisUrl(service.url));
  const isOurs = (key: string): boolean => key === positionKey || isIgnored(key);
  expect(await readDataState(target, isOurs)).toEqual(await readDataState(source, isIgnored));
  source.close();
  target.close();
};

describe.each([
  ['by records', true],
  ['by the commands of each type', false],
])('a migration that reads %s', (_, usesRecords) => {
  it('copies a store that is written to all the time, and loses nothing until the last write', async () => {
    const random = SeededRandom.fromEnvironment('migration');
    await fillStore(url, 400);
    await using run = await openMigration(url, service.url, directory.path, {
      usesRecords,
      skipsUnsupported: true,
    });
    let isOver = false;
    const writers = [random.fork(), random.fork()].map((fork) => writeRandomly(url, fork, () => isOver));
    const done = run.migration.run(signal);
    await waitUntil('the snapshot is done', () => run.migration.status.phase === 'following', 30_000);
    isOver = true;
    const commands = await Promise.all(writers);
    await done;
    expect(run.migration.status).toMatchObject({ phase: 'done', pendingKeys: 0, lag: 0 });
    expect(Math.min(...commands)).toBeGreaterThan(50);
    await expectSame((key) => !usesRecords && key.startsWith('hll'));
  });
});
