import { describe, expect, it } from 'vitest';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';
import { contentOf, fill, type Model, put, sorted, useStoreDirectory } from './checkpoint-setup.js';

const { open } = useStoreDirectory();

describe('checkpoints', () => {
  it('show the data of their sequence number through writes, flushes, restarts and deletion of others', async () => {
    const random = SeededRandom.fromEnvironment('checkpoints model');
    let engine = await open();
    const model: Model = new Map();
    const kept = new Map<string, Model>();
    for (let round = 0; round < 120; round++) {
      for (let i = random.below(120); i >= 0; i--) {
        const key = `k${random.below(900)}`;
        if (random.next() < 0.75) put(engine, model, key, random.bytes(random.below(60)).toString('hex'));
        else {
          engine.commit(new WriteBatchBuilder().delete(0, Buffer.from(key)).finish());
          model.delete(key);
        }
      }
      const dice = random.next();
      const ids = [...kept.keys()];
      const id = ids[random.below(Math.max(1, ids.length))];
      if (dice < 0.25) {
        const made = await engine.checkpoints.create({ name: `round ${round}` });
        kept.set(made.id, new Map(model));
        expect(made.sequence).toBe(engine.sequence);
      } else if (dice < 0.35 && id !== undefined) {
        await engine.checkpoints.delete(id);
        kept.delete(id);
      } else if (dice < 0.45 && id !== undefined) {
        const { generation } = engine.checkpoints.show(id);
        const advanced = await engine.checkpoints.refresh(id, { isAdvanced: true });
        expect(advanced).toMatchObject({ id, sequence: engine.sequence, generation: generation + 1 });
        kept.set(id, new Map(model));
      } else if (dice < 0.55 && id !== undefined) {
        const copy = await engine.checkpoints.create({ source: id });
        kept.set(copy.id, new Map(kept.get(id) ?? []));
      } else if (dice < 0.65) {
        await engine.close();
        engine = await open();
      } else if (dice < 0.75 && id !== undefined) {
        const reader = engine.checkpoints.open(id);
        expect(contentOf(reader)).toEqual(sorted(kept.get(id) ?? new Map()));
        reader.close();
      } else if (dice < 0.85) {
        await engine.whenDurable(engine.sequence);
      }
    }
    await engine.check();
    for (const [id, then] of kept) {
      const reader = engine.checkpoints.open(id);
      expect(contentOf(reader)).toEqual(sorted(then));
      expect(reader.sequence).toBe(engine.checkpoints.show(id).sequence);
      reader.close();
    }
    expect(contentOf(engine)).toEqual(sorted(model));
    await engine.close();
  });

  it('expire: at once for who opens them, and for good when they are reaped', async () => {
    let nowMs = Date.parse('2030-01-01T00:00:00.000Z');
    await using engine = await open({ nowMs: () => nowMs });
    const model: Model = new Map();
    fill(engine, model, 0, 50, 'x');
    const made = await engine.checkpoints.create({ name: 'short', lifetimeMs: 60_000 });
    expect(made).toMatchObject({ expires: '2030-01-01T00:01:00.000Z', lifetimeMs: 60_000 });
    nowMs += 40_000;
    expect(await engine.checkpoints.refresh('short')).toMatchObject({ expires: '2030-01-01T00:01:40.000Z' });
    expect(await engine.checkpoints.refresh('short', { lifetimeMs: null })).toMatchObject({ expires: null });
    await engine.checkpoints.refresh('short', { lifetimeMs: 1_000 });
    nowMs += 1_000;
    expect(engine.checkpoints.list({ state: 'expired' }).map(({ id }) => id)).toEqual([made.id]);
    expect(() => engine.checkpoints.open(made.id)).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_EXPIRED' }),
    );
    await expect(engine.checkpoints.refresh(made.id)).rejects.toMatchObject({ code: 'CHECKPOINT_EXPIRED' });
    expect(await engine.checkpoints.reap()).toBe(1);
    expect(engine.checkpoints.list()).toEqual([]);
    await expect(engine.checkpoints.create({ lifetimeMs: 10 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it('are found by id, its beginning, name and @latest, and names can be kept unique', async () => {
    await using engine = await open();
    const model: Model = new Map();
    fill(engine, model, 0, 10, 'x');
    const first = await engine.checkpoints.create({ name: 'nightly', labels: { host: 'a' } });
    fill(engine, model, 10, 20, 'x');
    const second = await engine.checkpoints.create({ name: 'nightly', creator: 'cli', holdsLog: true });
    expect(engine.checkpoints.list().map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(engine.checkpoints.show(first.id)).toMatchObject({ labels: { host: 'a' }, holdsLog: false });
    expect(engine.checkpoints.show(first.id.slice(0, 8)).id).toBe(first.id);
    for (const reference of ['nightly', 'name:nightly', '@latest'])
      expect(engine.checkpoints.show(reference).id).toBe(second.id);
    expect(() => engine.checkpoints.show('weekly')).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_NOT_FOUND' }),
    );
    expect(engine.checkpoints.logHolds).toEqual([{ name: 'nightly', from: second.sequence }]);
    await expect(
      engine.checkpoints.create({ name: 'nightly', ifNameExists: 'refuse' }),
    ).rejects.toMatchObject({
      code: 'CHECKPOINT_NAME_TAKEN',
    });
    const third = await engine.checkpoints.create({ name: 'nightly', ifNameExists: 'replace' });
    expect(engine.checkpoints.list().map(({ id }) => id)).toEqual([third.id]);
    expect(engine.checkpoints.logHolds).toEqual([]);
  });

  it('cost only what has changed since, and give it back when they are deleted', async () => {
    await using engine = await open({ memtableBytes: 200_000 });
    const model: Model = new Map();
    fill(engine, model, 0, 20_000, 'first');
    await engine.checkpoints.create({ name: 'one' });
    await engine.flush();
    const before = engine.stats();
    expect(engine.checkpoints.show('one').uniqueBytes).toBeLessThan(before.dataBytes / 20);
    const reader = engine.checkpoints.open('one');
    for (let round = 0; round < 5; round++) {
      fill(engine, model, 0, 20_000, `round ${round}`);
      await engine.flush();
    }
    const { bytes, uniqueBytes } = engine.checkpoints.show('one');
    expect(uniqueBytes).toBeGreaterThan((bytes ?? 0) * 0.9);
    await engine.checkpoints.delete('one');
    expect(engine.stats().retainedBytes).toBeGreaterThan((bytes ?? 0) * 0.9);
    expect(reader.get(0, Buffer.from('key:00007'))?.toString()).toBe('first:7');
    reader.close();
    await waitUntil('its pages are free', () => engine.stats().retainedBytes < 100_000);
    await engine.check();
  });

  it('are made by a policy, which keeps the newest of its own', async () => {
    await using engine = await open({
      checkpointPolicy: { name: 'often', everyChanges: 100, everyMs: 50, keep: 2 },
    });
    const model: Model = new Map();
    await engine.checkpoints.create({ name: 'mine' });
    let lastMade = 0;
    for (let round = 0; round < 4; round++) {
      fill(engine, model, 0, 150, `${round}`);
      const before = lastMade;
      await waitUntil(
        'a checkpoint is made',
        () => (engine.checkpoints.list({ name: 'often' })[0]?.sequence ?? 0) > before,
      );
      lastMade = engine.checkpoints.list({ name: 'often' })[0]?.sequence ?? 0;
    }
    await waitUntil('the oldest is deleted', () => engine.checkpoints.list({ name: 'often' }).length === 2);
    expect(engine.checkpoints.list({ name: 'mine' }).length).toBe(1);
  });

  it('are made by a policy again when the clock was years ahead and is set right, at once or after a restart', async () => {
    const right = Date.parse('2026-01-01');
    let nowMs = Date.parse('2030-01-01');
    const options = { checkpointPolicy: { everyMs: 1_000 }, nowMs: () => nowMs };
    const model: Model = new Map();
    for (const isRestarted of [false, true]) {
      let engine = await open(options);
      const made = (): number => engine.checkpoints.list({ name: 'automatic' })[0]?.sequence ?? 0;
      const expectMade = async (): Promise<void> => {
        fill(engine, model, 0, 10, `${nowMs}`);
        const { sequence } = engine;
        await waitUntil('a checkpoint is made', () => {
          nowMs += 100;
          return made() === sequence;
        });
      };
      nowMs = Date.parse('2030-01-01');
      await expectMade();
      nowMs = right;
      if (isRestarted) {
        await engine.close();
        engine = await open(options);
      }
      await expectMade();
      await engine.close();
    }
  });
});
