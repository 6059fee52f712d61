import { describe, expect, it } from 'vitest';
import { garbageOfSubKeys } from '../../src/data-model/index.js';
import { Engine } from '../../src/engine/index.js';
import { RespConnection } from '../../src/resp/index.js';
import { Compaction } from '../../src/server/compaction.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { randomCommands } from '../support/random-commands.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

const openIn = async (directory: string) => {
  const engine = await Engine.open(directory, { sync: 'none', memtableBytes: 64 * 1024 });
  const server = await Server.listen(engine, { port: 0, compactEverySeconds: 0 });
  const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
  return {
    engine,
    client,
    compact: async (): Promise<string> => {
      expect(String(await client.call('COMPACT'))).toBe('OK');
      let info = '';
      await waitUntil('the compaction has ended', async () => {
        info = String(await client.call('INFO', 'persistence'));
        return info.includes('compaction_in_progress:0');
      });
      return /last_compaction_dropped:(\d+)/.exec(info)?.[1] ?? '';
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      client.close();
      await server.close();
      await engine.close();
    },
  };
};

const subKeysOf = (engine: Engine): number => [...engine.iterate({ columnFamily: 0 })].length;

describe('COMPACT', () => {
  it('drops what deleted and overwritten collections left, for good, and tells the log nothing', async () => {
    using directory = throwAwayDirectory('compaction');
    {
      await using store = await openIn(directory.path);
      const { client, engine } = store;
      const fields = Array.from({ length: 500 }, (_, i) => [`f${i}`, 'v'.repeat(100)]).flat();
      for (const key of ['gone', 'replaced', 'anew', 'stays']) await client.call('HSET', key, ...fields);
      await client.call('ZADD', 'scores', '1', 'a', '2', 'b');
      await engine.flush(); // the older data lies in the trees, the newer in memory
      await engine.checkpoints.create({ name: 'before' });
      await client.call('DEL', 'gone', 'anew', 'scores');
      await client.call('SET', 'replaced', 'text');
      await client.call('HSET', 'anew', 'f', 'new');
      const { sequence } = engine;
      expect(subKeysOf(engine)).toBe(2003);
      expect(await store.compact()).toBe('5'); // gone, replaced, the older anew, members and scores of a sorted set
      expect(subKeysOf(engine)).toBe(501);
      expect(engine.sequence).toBe(sequence);
      expect(await store.compact()).toBe('0');
      const before = engine.checkpoints.open('before');
      expect([...before.iterate({ columnFamily: 0 })]).toHaveLength(2002);
      before.close();
      await engine.check();
    }
    await using store = await openIn(directory.path);
    expect(subKeysOf(store.engine)).toBe(501);
    expect(await store.client.call('HLEN', 'stays')).toBe(500);
    expect(String(await store.client.call('HGET', 'anew', 'f'))).toBe('new');
  });

  it('leaves all that is alive, whatever is written meanwhile', async () => {
    using compacted = throwAwayDirectory('compacted');
    using replayed = throwAwayDirectory('replayed');
    const random = SeededRandom.fromEnvironment('commands beside compactions');
    const nextCommand = randomCommands(random);
    await using store = await openIn(compacted.path);
    for (let round = 0; round < 12; round++) {
      const compaction = store.compact();
      for (let i = 0; i < 250; i++) await store.client.call(...nextCommand()).catch(() => undefined);
      await compaction;
    }
    await store.compact();
    expect([...garbageOfSubKeys(store.engine, () => Date.now() - 3_600_000)].flat()).toEqual([]);
    await store.engine.check();
    // The log has everything and knows nothing of compactions.
    await using oracle = await openIn(replayed.path);
    for (const { bytes } of store.engine.walIterator(0)) oracle.engine.commit(Buffer.from(bytes));
    expect(await readDataState(store.client)).toEqual(await readDataState(oracle.client));
  });

  it('drops expired keys some minutes after their end, and none of those that live', async () => {
    using directory = throwAwayDirectory('compaction');
    await using store = await openIn(directory.path);
    const { client, engine } = store;
    await client.call('SET', 'short', 'v', 'EX', '60');
    await client.call('SADD', 'short set', 'a');
    await client.call('EXPIRE', 'short set', '60');
    await client.call('SET', 'long', 'v', 'EX', '3600');
    await client.call('SET', 'ever', 'v');
    let aheadMs = 0;
    let dropsExpired = false;
    const compaction = new Compaction(engine, {
      everyMs: 0,
      dropsExpired: () => dropsExpired,
      nowMs: () => Date.now() + aheadMs,
      onDefect: (error) => {
        throw error;
      },
    });
    const compactAt = async (ms: number): Promise<number | undefined> => {
      aheadMs = ms;
      compaction.start();
      await waitUntil('the compaction has ended', () => !compaction.isRunning);
      return compaction.last?.dropped;
    };
    expect(await compactAt(7 * 60_000)).toBe(0); // not to be dropped
    dropsExpired = true;
    expect(await compactAt(5 * 60_000)).toBe(0); // too early
    expect(await compactAt(7 * 60_000)).toBe(3); // two keys, and the elements of one
    expect(subKeysOf(engine)).toBe(0);
    expect([...engine.iterate({ columnFamily: 1 })]).toHaveLength(2);
    await compaction.stop();
  });

  it('goes by itself when told how often, and ends with its server', async () => {
    using directory = throwAwayDirectory('compaction');
    await using engine = await Engine.open(directory.path, { sync: 'none' });
    const server = await Server.listen(engine, { port: 0, compactEverySeconds: 0.05 });
    const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    for (let round = 0; round < 2; round++) {
      await client.call('SADD', 'set', 'a', 'b');
      await client.call('DEL', 'set');
      await waitUntil('the members are dropped', () => subKeysOf(engine) === 0);
    }
    client.close();
    await server.close();
  });
});
