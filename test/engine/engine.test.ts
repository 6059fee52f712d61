import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions, type Snapshot } from '../../src/engine/index.js';
import { type Files, nodeFiles } from '../../src/files/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('engine');
});
afterEach(() => directory.remove());

const open = (options: EngineOptions = {}): Promise<Engine> => Engine.open(directory.path, options);
const put = (key: string, value: string | Buffer): Buffer =>
  new WriteBatchBuilder().put(0, Buffer.from(key), Buffer.from(value)).finish();

/** Keys in latin1 → values in latin1, by column family: what the engine must hold. */
type Model = Map<string, string>[];
const newModel = (): Model => [new Map(), new Map()];
const sorted = (model: Model, family: number): [string, string][] =>
  [...model[family]].sort(([a], [b]) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')));

const contentOf = (
  reader: Pick<Snapshot, 'iterate'>,
  family: number,
  isReverse = false,
): [string, string][] => {
  const found: [string, string][] = [];
  for (const { key, value } of reader.iterate({ columnFamily: family, isReverse }))
    found.push([key.toString('latin1'), value.toString('latin1')]);
  return found;
};

describe('engine', () => {
  it.each([
    ['in memory', undefined],
    ['flushed all the time', 8_000],
  ])(
    'agrees with a plain map through writes, range deletes, snapshots and reopening, %s',
    async (_, memtableBytes) => {
      const random = SeededRandom.fromEnvironment('engine model');
      const options: EngineOptions = {
        sync: 'none',
        segmentBytes: 50_000,
        ...(memtableBytes === undefined ? {} : { memtableBytes, pageCacheBytes: 300_000 }),
      };
      let engine = await open(options);
      let model = newModel();
      const snapshots: { snapshot: Snapshot; model: Model }[] = [];
      const randomKey = (): Buffer =>
        random.next() < 0.7 ? Buffer.from(`k${random.below(300)}`) : random.bytes(random.below(4));
      for (let step = 0; step < 4_000; step++) {
        const batch = new WriteBatchBuilder();
        for (let i = random.below(5); i >= 0; i--) {
          const family = random.below(2);
          const map = model[family];
          const key = randomKey();
          const action = random.next();
          if (action < 0.6) {
            const value = random.bytes(random.next() < 0.02 ? 70_000 : random.below(60));
            batch.put(family, key, value);
            map.set(key.toString('latin1'), value.toString('latin1'));
          } else if (action < 0.97) {
            batch.delete(family, key);
            map.delete(key.toString('latin1'));
          } else {
            const [begin, end] = [randomKey(), randomKey()].sort(Buffer.compare) as [Buffer, Buffer];
            batch.deleteRange(family, begin, end);
            for (const name of [...map.keys()]) {
              const bytes = Buffer.from(name, 'latin1');
              if (Buffer.compare(bytes, begin) >= 0 && Buffer.compare(bytes, end) < 0) map.delete(name);
            }
          }
        }
        const { last } = engine.commit(batch.finish());
        // Give way now and then, so that flushes happen between, and in the middle of, all the rest.
        if (memtableBytes !== undefined && random.next() < 0.2) await engine.whenDurable(last);
        const dice = random.next();
        if (dice < 0.01)
          snapshots.push({ snapshot: engine.snapshot(), model: model.map((map) => new Map(map)) });
        else if (dice < 0.02 && snapshots.length > 0) {
          const { snapshot, model: then } = snapshots.splice(random.below(snapshots.length), 1)[0];
          for (const family of [0, 1]) expect(contentOf(snapshot, family)).toEqual(sorted(then, family));
          const key = randomKey();
          expect(snapshot.get(0, key)?.toString('latin1')).toBe(then[0]?.get(key.toString('latin1')));
          snapshot.close();
        } else if (dice < 0.03) {
          for (const family of [0, 1]) {
            expect(contentOf(engine, family)).toEqual(sorted(model, family));
            expect(contentOf(engine, family, true)).toEqual(sorted(model, family).reverse());
          }
        } else if (dice < 0.032) {
          for (const { snapshot } of snapshots.splice(0)) snapshot.close();
          if (random.next() < 0.5) await engine.check();
          await engine.close();
          engine = await open(options);
          model = model.map((map) => new Map(map));
        }
      }
      for (const family of [0, 1]) expect(contentOf(engine, family)).toEqual(sorted(model, family));
      await engine.close();
    },
  );

  it('iterates within bounds, seeks, and stays right when keys come and go under it', async () => {
    await using engine = await open({ sync: 'none' });
    for (let i = 0; i < 1_000; i++) engine.commit(put(`key:${String(i).padStart(4, '0')}`, `${i}`));
    const key = (i: number): Buffer => Buffer.from(`key:${String(i).padStart(4, '0')}`);
    const range = engine.iterate({ columnFamily: 0, begin: key(100), end: key(110) });
    expect([...range].map(({ value }) => value.toString())).toEqual(
      Array.from({ length: 10 }, (_, i) => `${100 + i}`),
    );
    const back = engine.iterate({ columnFamily: 0, begin: key(100), end: key(110), isReverse: true });
    expect(back.item.key).toEqual(key(109));
    back.seek(Buffer.from('key:0104x'));
    expect(back.item.key).toEqual(key(104));
    const walking = engine.iterate({ columnFamily: 0 });
    let seen = 0;
    for (let i = 0; walking.valid; walking.next(), i++) {
      expect(walking.item.key).toEqual(key(i));
      seen++;
      engine.commit(
        new WriteBatchBuilder()
          .delete(0, key(i))
          .put(0, Buffer.from(`a${i}`), Buffer.alloc(0))
          .finish(),
      );
    }
    expect(seen).toBe(1_000);
    walking.seek(Buffer.from('b'));
    expect(walking.valid).toBe(false);
  });

  it('counts about what is there, and uses the space of deleted ranges and large values again', async () => {
    await using engine = await open({ sync: 'none', memtableBytes: 1 << 20 });
    for (let i = 0; i < 5_000; i++) engine.commit(put(`key:${i}`, Buffer.alloc(100, i)));
    await engine.flush();
    for (let i = 0; i < 3; i++) engine.commit(put(`large:${i}`, Buffer.alloc(9_000_000, i)));
    await engine.flush();
    const before = engine.stats();
    expect([before.keys['default'], before.liveBytes > 27e6]).toEqual([5_003, true]);
    expect(engine.get(0, Buffer.from('large:2'))?.equals(Buffer.alloc(9_000_000, 2))).toBe(true);
    engine.commit(
      new WriteBatchBuilder()
        .deleteRange(0, Buffer.from('large'), Buffer.from('m'))
        .delete(0, Buffer.from('key:1'))
        .finish(),
    );
    for (const value of ['1', '2', '3']) {
      engine.commit(put('key:2', value));
      await engine.flush();
    }
    const { liveBytes, keys } = engine.stats();
    expect([keys['default'], engine.get(0, Buffer.from('large:2'))]).toEqual([4_999, undefined]);
    expect(liveBytes).toBeLessThan(2e6);
    for (let i = 0; i < 3; i++) engine.commit(put(`large:${i}`, Buffer.alloc(8_900_000, i)));
    await engine.flush();
    expect(engine.stats().dataBytes).toBeLessThan(before.dataBytes * 1.1);
    engine.commit(new WriteBatchBuilder().deleteRange(0, Buffer.from('large'), Buffer.from('m')).finish());
    expect(statSync(join(directory.path, 'data')).size).toBe(engine.stats().dataBytes);
    await engine.check();
    engine.commit(new WriteBatchBuilder().deleteRange(0, Buffer.from(''), Buffer.from('z')).finish());
    expect(engine.stats().keys['default']).toBe(0);
    await engine.flush();
    expect(engine.iterate({ columnFamily: 0 }).valid).toBe(false);
    expect(engine.stats().keys['default']).toBe(0);
    await engine.check();
  });

  it('is checked in turns, while what is checked is written over', async () => {
    await using engine = await open({ sync: 'none' });
    const batch = new WriteBatchBuilder();
    for (let i = 0; i < 50_000; i++) batch.put(0, Buffer.from(`${i}`), Buffer.alloc(200));
    engine.commit(batch.finish());
    await engine.flush();
    await nextTurn(); // the flush has ended: a check begins at once
    let turns = 0;
    let isChecked = false;
    const checking = engine.check().finally(() => {
      isChecked = true;
    });
    await nextTurn();
    const writing = (async () => {
      for (let i = 0; !isChecked && i < 1_000; i++) {
        engine.commit(put('99999', `${i}`));
        await engine.flush();
      }
    })();
    while (!isChecked && turns < 100_000) {
      await nextTurn();
      turns++;
    }
    await Promise.all([checking, writing]);
    expect(turns).toBeGreaterThan(5);
    await engine.check();
  });

  it('is checked although there is always more to flush', async () => {
    await using engine = await open({ sync: 'none' });
    let isChecked = false;
    const flushes: Promise<void>[] = [];
    for (let i = 0; !isChecked && i < 5_000; i++) {
      engine.commit(put(`${i}`, 'value'));
      flushes.push(engine.flush());
      if (i === 0)
        void engine.check().then(() => {
          isChecked = true;
        });
      await nextTurn();
    }
    expect(isChecked).toBe(true);
    await Promise.all(flushes);
  });

  it('takes no more memory for overwriting a key than for one value', async () => {
    await using engine = await open({ sync: 'none' });
    for (let i = 0; i < 200_000; i++) {
      engine.commit(put('same', Buffer.alloc(i % 1_000)));
      if (i % 1_000 === 0) await engine.whenDurable(engine.sequence);
    }
    expect(engine.stats().memoryBytes.memtable).toBeLessThan(4 * 1024 * 1024);
  });

  it('sees its own writes at once, and shows them to log readers when they are durable', async () => {
    await using engine = await open();
    const { first, last } = engine.commit(put('a', '1'));
    expect([first, last, engine.get(0, Buffer.from('a'))?.toString(), engine.durableSequence]).toEqual([
      1,
      1,
      '1',
      0,
    ]);
    expect(engine.walIterator(0).valid).toBe(false);
    await engine.whenDurable(last);
    expect(engine.walIterator(0).item.sequence).toBe(1);
    const note = engine.commit(new WriteBatchBuilder().logData(Buffer.from('n')).finish());
    expect(note).toEqual({ first: 2, last: 1 });
    expect(await engine.write(put('b', '2'), { sync: 'always' })).toEqual({ first: 2, last: 2 });
  });

  it.each(['always', 'none'] as const)(
    'ends the write of a batch that counts nothing when it is on disk, as any other, in sync mode %s',
    async (mode) => {
      const held: (() => void)[] = [];
      let isHeld = false;
      const files: Files = {
        ...nodeFiles,
        datasync: async (fd) => {
          if (isHeld)
            await new Promise<void>((resolve) => {
              held.push(resolve);
            });
          await nodeFiles.datasync(fd);
        },
      };
      await using engine = await open({ sync: mode, files });
      const note = (): Buffer => new WriteBatchBuilder().logData(Buffer.from('note')).finish();
      await engine.write(put('key', 'value'), { sync: 'always' });
      await engine.write(note(), { sync: 'always' });
      isHeld = true;
      let isOver = false;
      const writing = engine.write(note(), { sync: 'always' }).then(() => {
        isOver = true;
      });
      try {
        await waitUntil('a sync is begun', () => held.length > 0);
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
        expect(isOver).toBe(false);
      } finally {
        isHeld = false;
        for (const end of held) end();
      }
      await writing;
    },
  );

  it('refuses a batch that it cannot apply before anything is written', async () => {
    await using engine = await open();
    const merge = new WriteBatchBuilder()
      .put(0, Buffer.from('x'), Buffer.from('1'))
      .merge(0, Buffer.from('x'), Buffer.from('2'))
      .finish();
    expect(() => engine.commit(merge)).toThrow(expect.objectContaining({ code: 'BATCH_RECORD_UNKNOWN' }));
    const family = new WriteBatchBuilder()
      .put(0, Buffer.from('x'), Buffer.from('1'))
      .put(77, Buffer.from('x'), Buffer.from('2'))
      .finish();
    expect(() => engine.commit(family)).toThrow(expect.objectContaining({ code: 'COLUMN_FAMILY_UNKNOWN' }));
    expect(() => engine.commit(Buffer.from('nonsense'))).toThrow(
      expect.objectContaining({ code: 'BATCH_CORRUPT' }),
    );
    await using small = await Engine.open(join(directory.path, 'small'), { maxBatchBytes: 100 });
    expect(() => small.commit(put('x', Buffer.alloc(200)))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
    expect([engine.sequence, engine.get(0, Buffer.from('x'))]).toEqual([0, undefined]);
  });

  it('takes no writes after a failed sync, and reads on', async () => {
    let isBroken = false;
    // A sync that fails cannot be had from a healthy disk on demand.
    const files = {
      ...nodeFiles,
      datasync: (fd: number) => (isBroken ? Promise.reject(new Error('EIO')) : nodeFiles.datasync(fd)),
    };
    const engine = await open({ files });
    await engine.write(put('a', '1'));
    isBroken = true;
    await expect(engine.write(put('a', '2'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    isBroken = false;
    expect(() => engine.commit(put('a', '3'))).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
    expect(engine.get(0, Buffer.from('a'))).toBeDefined();
    expect(engine.durableSequence).toBe(1);
    await engine.close();
    await using reopened = await open();
    expect(['1', '2']).toContain(reopened.get(0, Buffer.from('a'))?.toString());
  });
});
