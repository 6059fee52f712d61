import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { KvrocksSink } from '../../sinks/kvrocks/index.js';
import { Decoder } from '../../src/data-model/index.js';
import { Engine } from '../../src/engine/index.js';
import {
  type MigrationEnd,
  type MigrationStatus,
  RawMigration,
  RecordFilter,
  RecordReader,
  ServerConnection,
  ServerRecords,
  StateFile,
} from '../../src/migration/index.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { throwAwayDirectory } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { reportIn } from '../support/migration-ends.js';
import { pluginContext } from '../support/plugin-context.js';
import { SeededRandom } from '../support/seeded-random.js';
import { runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';
import { writeRandomly } from './migration-setup.js';

const ownKey = 'tailrace:migrate:position';
const signal = new AbortController().signal;

/** A store and its server. */
class Store implements AsyncDisposable {
  readonly engine: Engine;
  readonly server: Server;
  readonly client: RespConnection;

  static async open(path: string): Promise<Store> {
    const engine = await Engine.open(path, { sync: 'none' });
    const server = await Server.listen(engine, { port: 0, password: 'secret' });
    const client = await RespConnection.open(parseRedisUrl(`redis://:secret@127.0.0.1:${server.port}`));
    return new Store(engine, server, client);
  }

  private constructor(engine: Engine, server: Server, client: RespConnection) {
    this.engine = engine;
    this.server = server;
    this.client = client;
  }

  get url(): string {
    return `redis://:secret@127.0.0.1:${this.server.port}`;
  }

  /** Values and types of all keys; what commands cannot read as it stands in the store. */
  async state(): Promise<unknown> {
    const values = await readDataState(this.client, (key) => key === ownKey || key.startsWith('bloom'));
    const types: Record<string, string> = {};
    for (const key of (await this.client.call('KEYS', '*')) as Buffer[])
      if (String(key) !== ownKey) types[key.toString('latin1')] = String(await this.client.call('TYPE', key));
    return { values, types };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.server.close();
    await this.engine.close();
  }
}

let directory: ReturnType<typeof throwAwayDirectory>;
let source: Store;
let target: Store;
beforeEach(async () => {
  directory = throwAwayDirectory('raw-migration');
  source = await Store.open(join(directory.path, 'source'));
  target = await Store.open(join(directory.path, 'target'));
});
afterEach(async () => {
  await source[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
  directory.remove();
});

const openRaw = (
  options: {
    bytesPerSecond?: number;
    restarts?: boolean;
    namespaces?: readonly string[];
    end?: MigrationEnd;
  } = {},
): RawMigration & AsyncDisposable => {
  const { namespaces = ['default'], restarts = false, bytesPerSecond = 0 } = options;
  const context = pluginContext('migrate');
  const connection = new ServerConnection(parseRedisUrl(source.url));
  const log = new KvrocksSource(
    {
      url: source.url,
      password: '',
      pollBatches: 1000,
      idlePollMs: 10,
      answerTimeoutMs: 30_000,
      giveUpAfterMs: 0,
    },
    context,
  );
  const sink = new KvrocksSink(
    { url: target.url, password: '', delivery: 'exactly-once', positionKey: ownKey },
    context,
  );
  const migration = new RawMigration({
    source: source.url,
    target: 'target',
    log,
    keys: new RecordReader(connection),
    records: new ServerRecords(connection),
    filter: new RecordFilter({ namespaces, ownKey }),
    purges: restarts,
    restarts,
    sink,
    stateFile: new StateFile(join(directory.path, 'state.json')),
    namespaces,
    end: options.end ?? { kind: 'quiet', quietMs: 100 },
    rates: { keysPerSecond: 0, bytesPerSecond },
    logger: context.log,
  });
  return Object.assign(migration, {
    [Symbol.asyncDispose]: async () => {
      connection.close();
      await log[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  });
};

/** Keys of the types that a Redis does not have, and a collection of many pages. */
const fill = async (): Promise<void> => {
  const { client } = source;
  await client.call('SETBIT', 'bitmap', 100_000, 1);
  await client.call('JSON.SET', 'json', '$', '{"a":[1,2,{"b":null}]}');
  await client.call('BF.RESERVE', 'bloom', '0.01', 1000);
  await client.call('BF.ADD', 'bloom', 'member');
  await client.call('SIADD', 'ints', 5, 7, 99);
  await client.call('PFADD', 'hll:x', 'a', 'b', 'c');
  await client.call('SET', 'expiring', 'x', 'PXAT', 4_000_000_000_000);
  for (let at = 0; at < 3000; at += 100)
    await client.call(
      'HSET',
      'large',
      ...Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? `f${at + i}` : 'v'.repeat(60))),
    );
  await Promise.all(
    Array.from({ length: 1500 }, (_, at) => client.call('RPUSH', `list:${at}`, 'a', at, 'b')),
  );
};

describe('a migration between stores of one format', () => {
  it('keeps every type as it is, while random writes of all types go on, through interruptions', async () => {
    const random = SeededRandom.fromEnvironment('raw migration');
    await fill();
    let isOver = false;
    const writing = writeRandomly(source.url, random.fork(), () => isOver);
    const follow = async (
      isEnough: (status: MigrationStatus) => boolean,
      bytesPerSecond = 0,
    ): Promise<void> => {
      const interrupt = new AbortController();
      await using run = openRaw({ bytesPerSecond, end: { kind: 'never' } });
      const done = run.run(interrupt.signal);
      await waitUntil('it got on', () => isEnough(run.status));
      interrupt.abort();
      await done;
    };
    for (let interruption = 0; interruption < 3; interruption++)
      await follow(({ parts, phase }) => parts > 1 || phase === 'following', 300_000);
    await follow(({ phase }) => phase === 'following');
    isOver = true;
    expect(await writing).toBeGreaterThan(10);
    await using run = openRaw();
    await run.run(signal);
    expect(run.status).toMatchObject({ phase: 'done', lag: 0 });
    expect(await target.state()).toEqual(await source.state());
    // The random history may have flushed the store.
    if ((await source.client.call('EXISTS', 'bloom')) === 1)
      expect(await target.client.call('BF.EXISTS', 'bloom', 'member')).toBe(1);
  });

  it('goes on at its place in the log without reading any record again', async () => {
    await fill();
    {
      await using run = openRaw();
      await run.run(signal);
    }
    await source.client.call('SETBIT', 'bitmap', 5, 1);
    await source.client.call('LPUSH', 'list:3', 'first');
    await using run = openRaw();
    await run.run(signal);
    expect(run.status.parts).toBe(0);
    expect(await target.state()).toEqual(await source.state());
  });

  it('starts over without a trace of elements that were removed since', async () => {
    await fill();
    {
      await using run = openRaw();
      await run.run(signal);
    }
    await source.client.call('HDEL', 'large', 'f0', 'f2', 'f4');
    await using run = openRaw({ restarts: true });
    await run.run(signal);
    // Whoever follows the target's own log is told in changes, too.
    const decoder = new Decoder();
    for (const batch of target.engine.walIterator(0))
      for (const { key, reason } of decoder.decode(Buffer.from(batch.bytes)).undecodable)
        expect([String(key), reason]).toEqual(['bloom', expect.stringContaining('Bloom')]);
    expect(await target.client.call('HLEN', 'large')).toBe(await source.client.call('HLEN', 'large'));
    expect(await target.state()).toEqual(await source.state());
  });

  it('copies the namespaces that are named and no others, and leaves its own position alone', async () => {
    const admin = new Redis(source.server.port, { password: 'secret' });
    await admin.call('NAMESPACE', 'ADD', 'orders', 'token-o');
    await admin.call('NAMESPACE', 'ADD', 'carts', 'token-c');
    const [orders, carts] = ['token-o', 'token-c'].map(
      (password) => new Redis(source.server.port, { password }),
    );
    await admin.set('here', 'x');
    // As a store has it that was itself the target of a migration.
    await admin.set(ownKey, 'of an earlier migration');
    await orders.rpush('list', 'a', 'b');
    await carts.set('cart', '1');
    {
      await using run = openRaw({ namespaces: ['default', 'orders'] });
      await run.run(signal);
    }
    await orders.rpush('list', 'c');
    await carts.flushdb();
    await admin.set(ownKey, 'changed');
    await using run = openRaw({ namespaces: ['default', 'orders'] });
    await run.run(signal);
    const there = new Redis(target.server.port, { password: 'secret' });
    await there.call('NAMESPACE', 'ADD', 'orders', 'token-o');
    await there.call('NAMESPACE', 'ADD', 'carts', 'token-c');
    const [theirs, none] = ['token-o', 'token-c'].map(
      (password) => new Redis(target.server.port, { password }),
    );
    expect(await theirs.lrange('list', 0, -1)).toEqual(['a', 'b', 'c']);
    expect(await none.dbsize()).toBe(0);
    expect(await there.get('here')).toBe('x');
    await admin.flushall();
    {
      await using last = openRaw({ namespaces: ['default', 'orders'] });
      await last.run(signal);
    }
    expect(await theirs.dbsize()).toBe(0);
    expect(await there.keys('*')).toEqual([ownKey]);
    for (const client of [admin, orders, carts, there, theirs, none]) client.disconnect();
  });

  it('is what migrate does by itself when both ends are tailrace, killed or not, and what verify compares', async () => {
    await fill();
    const ends = ['--from', source.url, '--to', target.url];
    const state = ['--state', join(directory.path, 'cli.json')];
    const migrator = new TailraceProcess(
      ['migrate', ...ends, ...state, '--max-mb-per-second', '0.3'],
      directory.path,
    );
    migrator.start();
    await waitUntil('records are there', async () => Number(await target.client.call('DBSIZE')) > 300);
    await migrator.killAndRestart();
    await migrator.ended();
    expect(migrator.exitCode, migrator.said).toBe(0);
    expect(await target.state()).toEqual(await source.state());
    expect(await target.client.call('BF.EXISTS', 'bloom', 'member')).toBe(1);

    const same = await runTailrace('verify', ...ends);
    expect(same.status, same.stdout + same.stderr).toBe(0);
    await target.client.call('HDEL', 'large', 'f2');
    await target.client.call('SETBIT', 'bitmap', 3, 1);
    await target.client.call('SET', 'extra', 'x');
    const repaired = await runTailrace('verify', ...ends, '--settle', '100', '--repair', '--json');
    expect(repaired.status, repaired.stdout + repaired.stderr).toBe(0);
    expect(reportIn(repaired.stdout)).toMatchObject({ differences: 3, repaired: 3 });
    expect(await target.state()).toEqual(await source.state());
  });
});
