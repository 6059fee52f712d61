import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FileOffsetsStore,
  type Lease,
  type OffsetsStore,
  PostgresOffsetsStore,
  RedisOffsetsStore,
} from '../../src/pipeline/index.js';
import {
  type PostgresService,
  type RedisService,
  startPostgres,
  startRedis,
  throwAwayDirectory,
} from '../services/index.js';

const never = new AbortController().signal;
/** So long that no pause of a busy machine ends it. */
const longLeaseMs = 60_000;
const shortLeaseMs = 1_000;
const directory = throwAwayDirectory('offsets');
let redis: RedisService;
let postgres: PostgresService;
beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
});
afterAll(async () => {
  await Promise.all([redis.stop(), postgres.stop()]);
  directory.remove();
});

const stores = {
  file: (name: string): OffsetsStore => new FileOffsetsStore(join(directory.path, name)),
  redis: (name: string, leaseMs = longLeaseMs): OffsetsStore =>
    new RedisOffsetsStore({ url: redis.url, name, leaseMs }),
  postgres: (name: string, leaseMs = longLeaseMs): OffsetsStore =>
    new PostgresOffsetsStore({ url: postgres.url, name, leaseMs }),
};
const position = (sequence: number) => ({ sequence, count: 3, crc: 0xfedc_ba98 });

describe.each(Object.entries(stores))('positions in a store: %s', (_, open) => {
  it('are kept for each sink of each pipeline, listed and forgotten', async () => {
    await using store = open('kept');
    const before = Date.now();
    expect(await store.load('p', 'a')).toBeNull();
    expect(await store.list()).toEqual([]);
    for (const [pipeline, sink, sequence] of [
      ['p', 'a', 1],
      ['p', 'b', 2 ** 52],
      ['q/with "odd" näme', 'a', 3],
      ['p', 'a', 10],
    ] as const)
      await store.save(pipeline, sink, position(sequence));
    await using other = open('kept');
    expect(await other.load('p', 'a')).toEqual(position(10));
    expect((await other.list('p')).map(({ sink, position: held }) => [sink, held.sequence]).sort()).toEqual([
      ['a', 10],
      ['b', 2 ** 52],
    ]);
    expect((await other.list()).length).toBe(3);
    for (const { storedAtMs } of await other.list()) {
      expect(storedAtMs).toBeGreaterThanOrEqual(before - 1); // by the clock of the server, and rounded
      expect(storedAtMs).toBeLessThanOrEqual(Date.now() + 1);
    }
    expect([await other.reset('p', 'a'), await other.reset('p', 'a')]).toEqual([true, false]);
    expect(await store.load('p', 'a')).toBeNull();
    expect(await store.reset('q/with "odd" näme')).toBe(true);
    expect((await store.list()).map(({ sink }) => sink)).toEqual(['b']);
  });

  it('of several pipelines do not get into each other’s way when they are saved at once', async () => {
    await Promise.all(
      Array.from({ length: 6 }, async (_, at) => {
        await using store = open('at_once');
        for (let i = 1; i <= 10; i++) await store.save(`p${at}`, 's', position(i));
      }),
    );
    await using store = open('at_once');
    expect((await store.list()).map(({ position: held }) => held.sequence)).toEqual(Array(6).fill(10));
  });
});

describe.each(['redis', 'postgres'] as const)('leases in a store: %s', (kind) => {
  const open = (leaseMs?: number): OffsetsStore => stores[kind]('owned', leaseMs);
  const lossOf = ({ lost }: Lease): Promise<unknown> =>
    new Promise((resolve) => {
      if (lost.aborted) resolve(lost.reason);
      lost.addEventListener('abort', () => resolve(lost.reason));
    });

  it('are lost when the store says nothing any more, and given up without it', async () => {
    const store = open(shortLeaseMs);
    const lease = await store.own('silent', never);
    const others = await store.own('others', never);
    const goesOn = kind === 'redis' ? await redisSilent() : await postgresSilent();
    expect(await lossOf(lease)).toMatchObject({ code: 'PIPELINE_OWNED' });
    const released = Promise.allSettled([lease.release(), others.release()]);
    await goesOn();
    await released;
    await store[Symbol.asyncDispose]();
  });

  it('are not waited for by who is told to end, when the store says nothing', async () => {
    const store = open();
    await store.load('warm', 'up'); // connected
    const goesOn = kind === 'redis' ? await redisSilent() : await postgresSilent();
    const stop = new AbortController();
    const owned = store.own('given up', stop.signal);
    stop.abort(new Error('told to end'));
    await expect(owned).rejects.toThrow('told to end');
    await goesOn();
    await store[Symbol.asyncDispose]();
  });

  it('belong to one owner of the pipeline, until it gives it up or is gone for the time of a lease', async () => {
    await using first = open();
    // Waits for the time of a lease of its own, as the owner may be dead.
    await using second = open(shortLeaseMs);
    const lease = await first.own('p', never);
    await expect(second.own('p', never)).rejects.toMatchObject({
      code: 'PIPELINE_OWNED',
      message: expect.stringContaining(`process ${process.pid} on`),
    });
    expect(lease.lost.aborted).toBe(false);
    const others = await second.own('q', never);
    await others.release();
    await lease.release();
    const next = await second.own('p', never);
    await next.release();
    // A process that dies does not release: its lease runs out.
    const dying = open(shortLeaseMs);
    const left = await dying.own('p', never);
    await dying[Symbol.asyncDispose]();
    if (kind === 'redis') await redisDown();
    else await postgresDown();
    expect(await lossOf(left)).toMatchObject({ code: 'PIPELINE_OWNED' });
  });
});

describe('positions in files', () => {
  it('that are damaged are not taken for positions', async () => {
    await using store = new FileOffsetsStore(join(directory.path, 'damaged'));
    await store.save('p', 'a', position(1));
    const file = join(directory.path, 'damaged', 'p.json');
    expect(existsSync(file)).toBe(true);
    for (const text of ['', '{}', '{"crc":"0","offsets":[]}', 'nonsense']) {
      writeFileSync(file, text);
      await expect(store.load('p', 'a')).rejects.toMatchObject({ code: 'OFFSETS_CORRUPT' });
    }
  });
});

/** The last test of the store: nobody answers any more, so the lease cannot be kept. */
const redisDown = (): Promise<void> => redis.stop();
const postgresDown = (): Promise<void> => postgres.stop();

/** The server takes what is sent and answers nothing, until what this resolves to is called. */
const redisSilent = async (): Promise<() => Promise<void>> => {
  process.kill(redis.pid, 'SIGSTOP');
  return async () => {
    process.kill(redis.pid, 'SIGCONT');
  };
};

/** Somebody else holds the table of the leases. */
const postgresSilent = async (): Promise<() => Promise<void>> => {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('BEGIN; LOCK TABLE owned_leases IN ACCESS EXCLUSIVE MODE');
  return () => client.end();
};
