import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineSource, engineSource } from '../../connectors/engine/index.js';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { Engine, type RetentionOptions } from '../../src/engine/index.js';
import { type Finding, positionOf, type Source, type SourceBatch } from '../../src/kit/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { waitUntil } from '../support/wait-until.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server whose log keeps only what someone asks for, with segments of 4 KiB. */
const serve = async (
  retention: Partial<RetentionOptions> = {},
): Promise<{ engine: Engine; client: Redis; server: Server }> => {
  const directory = throwAwayDirectory('slots');
  const engine = await Engine.open(directory.path, {
    sync: 'none',
    segmentBytes: 4_096,
    retention: { keepMs: -60_000, keepBytes: 0, intervalMs: 3_600_000, ...retention },
  });
  const server = await Server.listen(engine, { port: 0 });
  const client = new Redis(server.port);
  closing.push(
    () => directory.remove(),
    () => engine.close(),
    () => server.close(),
    () => client.disconnect(),
  );
  return { engine, client, server };
};

const fill = async (client: Redis, keys: number): Promise<void> => {
  for (let i = 0; i < keys; i++) await client.set(`key:${i}`, 'v'.repeat(200));
};

const trim = async (engine: Engine): Promise<number> => {
  await engine.flush();
  await engine.trimLog();
  return engine.stats().firstLogSequence;
};

const drain = async (source: Source): Promise<SourceBatch[]> => {
  const taken: SourceBatch[] = [];
  const signal = new AbortController().signal;
  for (;;) {
    const pulled = await source.pull({ maxBatches: 1_000, maxBytes: 1 << 20 }, signal);
    if (pulled === null) return taken;
    taken.push(...pulled.batches);
    if ((taken.at(-1)?.sequence ?? 0) >= pulled.latestSequence) return taken;
  }
};

const signal = new AbortController().signal;

describe('slots', () => {
  it('are made, acknowledged, listed and dropped over the wire', async () => {
    const { client, engine } = await serve();
    await fill(client, 10);
    expect(await client.call('SLOT', 'CREATE', 'a')).toBe(0);
    expect(await client.call('SLOT', 'CREATE', 'b', 'LATEST')).toBe(10);
    expect(await client.call('SLOT', 'CREATE', 'c', '7')).toBe(7);
    expect(await client.call('SLOT', 'CREATE', 'c', '9')).toBe(7);
    expect(await client.call('SLOT', 'ACK', 'a', '4')).toBe(4);
    expect(await client.call('SLOT', 'ACK', 'a', '2')).toBe(4);
    expect(await client.call('SLOT', 'DROP', 'c')).toBe(1);
    expect(await client.call('SLOT', 'DROP', 'c')).toBe(0);
    const listed = (await client.call('SLOT', 'LIST')) as (string | number)[][];
    expect(listed.map((slot) => slot.slice(0, 6))).toEqual([
      ['name', 'a', 'acknowledged', 4, 'behind', 6],
      ['name', 'b', 'acknowledged', 10, 'behind', 0],
    ]);
    await engine.flush();
    expect(await client.info('persistence')).toContain('log_kept_by:slot=a');
    expect(engine.slots.get('a')?.acknowledged).toBe(4);
    const refusals: readonly (readonly string[])[] = [
      ['ACK', 'nobody', '1'],
      ['ACK', 'a', '999'],
      ['ACK', 'a', 'x'],
      ['CREATE', 'a b'],
      ['CREATE'],
      ['WHAT'],
    ];
    for (const words of refusals) await expect(client.call('SLOT', ...words)).rejects.toThrow(/^ERR /);
    await expect(client.multi().call('SLOT', 'LIST').exec()).rejects.toThrow();
  });

  it('keep the log for a source that reads over the wire, up to what its sinks have', async () => {
    const { client, engine, server } = await serve();
    const options = { pollBatches: 1_000, idlePollMs: 5, answerTimeoutMs: 60_000, giveUpAfterMs: 0 };
    const source = new KvrocksSource(
      { url: `redis://127.0.0.1:${server.port}`, password: '', slot: 'reader', ...options },
      pluginContext(),
    );
    closing.push(() => source[Symbol.asyncDispose]());
    await source.open({ kind: 'beginning' }, signal);
    await fill(client, 100);
    const batches = await drain(source);
    expect(batches).toHaveLength(100);
    expect(await trim(engine)).toBe(1);
    const position = positionOf(batches[49]);
    await source.acknowledge(position);
    await fill(client, 1); // ends the poll that waits; the acknowledgement is answered behind it
    await waitUntil('the slot is acknowledged', async () => engine.slots.get('reader')?.acknowledged === 50);
    const first = await trim(engine);
    expect(first).toBeGreaterThan(1);
    expect(first).toBeLessThanOrEqual(50);
    await source.open({ kind: 'after', position }, signal);
    expect((await drain(source))[0]?.sequence).toBe(51);
  });

  it('keep the log for a source in the same process', async () => {
    const { client, engine } = await serve();
    const source = new EngineSource(engine, { slot: 'inside', idleMs: 10 });
    closing.push(() => source[Symbol.asyncDispose]());
    await source.open({ kind: 'beginning' });
    await fill(client, 100);
    const batches = await drain(source);
    expect(await trim(engine)).toBe(1);
    const position = positionOf(batches[79]);
    await source.acknowledge(position);
    const first = await trim(engine);
    expect(first).toBeGreaterThan(1);
    expect(first).toBeLessThanOrEqual(80);
    await source.open({ kind: 'after', position });
    expect((await drain(source))[0]?.sequence).toBe(81);
  });

  it('are told by doctor when they have lost changes, each as far as it matters', async () => {
    const { client, engine, server } = await serve({ maxBytes: 16_384 });
    const found = async (slot: string, takesSnapshots: boolean): Promise<string[]> => {
      await using source = new KvrocksSource(
        { ...sourceOptions(server), slot, takesSnapshots },
        pluginContext(),
      );
      return foundOf(await source.check(signal));
    };
    await client.call('SLOT', 'CREATE', 'acknowledged');
    await client.call('SLOT', 'CREATE', 'gone');
    await fill(client, 10);
    expect(await found('acknowledged', false)).toEqual([
      'ok slots: the log has what they need: acknowledged, gone',
    ]);
    await fill(client, 200);
    const first = await trim(engine);
    await client.call('SLOT', 'CREATE', 'well', 'LATEST');
    const begins = `the log begins at sequence number ${first}`;
    expect(await found('acknowledged', false)).toEqual([
      `fail slot: lost changes: acknowledged (has 0); ${begins}`,
      `warn slots: lost changes: gone (has 0); ${begins}`,
    ]);
    expect(await found('acknowledged', true)).toContainEqual(expect.stringMatching(/^warn slot: lost/));
    expect(await found('well', true)).toEqual([
      `warn slots: lost changes: acknowledged (has 0), gone (has 0); ${begins}`,
    ]);
    await engine.close();
    const context = { ...pluginContext(), pipeline: 'acknowledged' };
    await using source = engineSource.create({ path: engine.directory, slot: '' }, context);
    expect(foundOf((await source.check?.(signal)) ?? [])).toEqual([
      `fail slot: lost changes: acknowledged (has 0); ${begins}`,
      `warn slots: lost changes: gone (has 0); ${begins}`,
    ]);
  });

  it('are told by doctor when they hold nearly all of the log that may be kept', async () => {
    const { client, server } = await serve({ maxBytes: 2 ** 20 });
    await client.call('SLOT', 'CREATE', 'slow');
    const found = async (): Promise<string[]> => {
      await using source = new KvrocksSource(sourceOptions(server), pluginContext());
      return foundOf(await source.check(signal));
    };
    for (let i = 0; i < 7; i++) await client.set('key', 'v'.repeat(100_000));
    expect(await found()).toEqual(['ok slots: the log has what they need: slow']);
    await client.call('SLOT', 'CREATE', 'quick', 'LATEST');
    for (let i = 0; i < 2; i++) await client.set('key', 'v'.repeat(100_000));
    expect(await found()).toEqual([
      'warn log size: at most 1 MiB of the log are kept, and slow needs about 1 MiB: what is beyond that is lost to it',
    ]);
    await client.call('SLOT', 'ACK', 'slow', '8');
    expect(await found()).toEqual(['ok slots: the log has what they need: quick, slow']);
  });
});

const sourceOptions = (server: Server) => ({
  ...{ url: `redis://127.0.0.1:${server.port}`, password: '', pollBatches: 1_000, idlePollMs: 5 },
  ...{ answerTimeoutMs: 60_000, giveUpAfterMs: 0 },
});

const foundOf = (findings: readonly Finding[]): string[] =>
  findings
    .filter(({ name }) => ['slot', 'slots', 'log size'].includes(name))
    .map(({ status, name, detail }) => `${status} ${name}: ${detail}`);
