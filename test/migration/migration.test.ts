import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import type { SinkBatch, WriteOutcome } from '../../src/kit/index.js';
import { placeOf } from '../../src/migration/index.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { ScriptedSink } from '../support/scripted-sink.js';
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
    let isOver = false;
    const written = [0, 0];
    const writers = written.map((_, at) =>
      writeRandomly(url, random.fork(), () => {
        written[at]++;
        return isOver;
      }),
    );
    await waitUntil('both write', () => Math.min(...written) > 10);
    const options = { usesRecords, skipsUnsupported: true };
    {
      const interrupt = new AbortController();
      await using run = await openMigration(url, service.url, directory.path, {
        ...options,
        end: { kind: 'never' },
      });
      const done = run.migration.run(interrupt.signal);
      await waitUntil('the snapshot is done', () => run.migration.status.phase === 'following');
      isOver = true;
      await Promise.all(writers);
      interrupt.abort();
      await done;
    }
    await using run = await openMigration(url, service.url, directory.path, options);
    await run.migration.run(signal);
    expect(run.migration.status).toMatchObject({ phase: 'done', pendingKeys: 0, lag: 0 });
    await expectSame((key) => !usesRecords && key.startsWith('hll'));
  });
});

describe('a migration that is interrupted', () => {
  it('goes on where it stood, and reads at most one part twice', async () => {
    await fillStore(url, 900);
    const parts = Math.ceil(900 / 40);
    const interrupt = new AbortController();
    let read = 0;
    {
      await using run = await openMigration(url, service.url, directory.path, {
        rates: { keysPerSecond: 1_000, bytesPerSecond: 0 },
      });
      const done = run.migration.run(interrupt.signal);
      await waitUntil('some parts are copied', () => run.migration.status.keys >= 200);
      interrupt.abort();
      await done;
      read += run.migration.status.parts;
    }
    expect(read).toBeLessThan(parts);
    await using run = await openMigration(url, service.url, directory.path);
    await run.migration.run(signal);
    read += run.migration.status.parts;
    expect(read).toBeLessThanOrEqual(parts + 1);
    expect(run.migration.status.keys).toBe(900);
    await expectSame();
  });

  it('goes on at its place in the log when it has come to follow, without reading any key', async () => {
    await fillStore(url, 60);
    {
      await using run = await openMigration(url, service.url, directory.path);
      await run.migration.run(signal);
    }
    const client = await RespConnection.open(parseRedisUrl(url));
    await client.call('RPUSH', 'later', 'a', 'b');
    await client.call('LPUSH', 'fill:2', 'more');
    client.close();
    await using run = await openMigration(url, service.url, directory.path);
    await run.migration.run(signal);
    expect(run.migration.status).toMatchObject({ parts: 0, keys: 60 });
    await expectSame();
  });

  it('gives a target that holds no position the step again that failed, and loses none', async () => {
    await fillStore(url, 200);
    const sink = Object.assign(new ScriptedSink(), { holdsPosition: false });
    const take = (_: SinkBatch, apply: () => void): WriteOutcome => {
      apply();
      return { kind: 'durable' };
    };
    sink.script = [take, take, () => ({ kind: 'fatal', error: new Error('full') })];
    {
      await using run = await openMigration(url, sink, directory.path);
      await expect(run.migration.run(signal)).rejects.toMatchObject({ code: 'SINK_FAILED' });
    }
    await using run = await openMigration(url, sink, directory.path);
    await run.migration.run(signal);
    expect(new Set(sink.keys).size).toBe(200);
  });

  it('says that it follows only when it has what was written meanwhile', async () => {
    await fillStore(url, 60);
    const sink = new ScriptedSink();
    {
      await using run = await openMigration(url, sink, directory.path);
      await run.migration.run(signal);
    }
    await fillStore(url, 90);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const phases: string[] = [];
    const interrupt = new AbortController();
    await using run = await openMigration(url, sink, directory.path, { end: { kind: 'never' } });
    sink.script = [
      async (_, apply) => {
        phases.push(run.migration.status.phase);
        await released;
        apply();
        return { kind: 'durable' };
      },
    ];
    const done = run.migration.run(interrupt.signal);
    await waitUntil('a write is under way', () => phases.length > 0);
    expect(phases).toEqual(['catch-up']);
    release();
    await waitUntil('it follows', () => run.migration.status.phase === 'following');
    expect(run.migration.status).toMatchObject({ lag: 0 });
    expect(sink.keys.filter((key) => key === 'fill:89')).not.toEqual([]);
    interrupt.abort();
    await done;
  });

  it('does not go on from a position that its state file does not know', async () => {
    await fillStore(url, 60);
    const other = throwAwayDirectory('migration-other');
    {
      await using run = await openMigration(url, service.url, directory.path);
      await run.migration.run(signal);
    }
    await using run = await openMigration(url, service.url, other.path);
    await expect(run.migration.run(signal)).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
    await using again = await openMigration(url, service.url, other.path, { restarts: true });
    await again.migration.run(signal);
    await expectSame();
    other.remove();
  });
});

describe('keys that change all the time', () => {
  it('are read by the commands of each type as they are at one moment, when their writers are made to wait', async () => {
    const client = await RespConnection.open(parseRedisUrl(url));
    await client.call('RPUSH', 'hot', '0');
    const perPush = Number(await client.call('SEQUENCE', 'APPLIED'));
    let isOver = false;
    const writing = (async () => {
      for (let at = 1; !isOver; at++) await client.call('RPUSH', 'hot', at);
    })();
    await using run = await openMigration(url, service.url, directory.path, { usesRecords: false });
    for (let round = 0; round < 10; round++) {
      const part = await run.keys.readKeys([placeOf('default', Buffer.from('hot'))], true, signal);
      expect(part.low).toBe(part.high);
      // A list that grew between the commands and their repetition is read as it then is.
      expect(part.unsettled).toEqual([]);
      const elements = part.images[0].changes.filter((change) => change.op === 'push');
      expect(elements.length).toBe(part.high / perPush);
    }
    isOver = true;
    await writing;
    client.close();
  });
});
