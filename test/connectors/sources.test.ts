import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineSource } from '../../connectors/engine/index.js';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { WalSource } from '../../connectors/wal/index.js';
import { Engine } from '../../src/engine/index.js';
import { crc32c, positionOf, type Source, type SourceBatch, type StartPoint } from '../../src/kit/index.js';
import { Server } from '../../src/server/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { SeededRandom } from '../support/seeded-random.js';

const limit = { maxBatches: 1_000, maxBytes: 1024 * 1024 };
const neverAborts = new AbortController().signal;

/** Comparing many buffers byte by byte is slow in vitest. */
const fingerprint = ({ sequence, count, bytes }: SourceBatch): string =>
  `${sequence} ${count} ${bytes.length} ${crc32c(bytes)}`;

/** What every source promises, told of each of them over the same store. */
describe.each(['engine', 'kvrocks', 'wal'])('the %s source', (connector) => {
  const random = SeededRandom.fromEnvironment(`sources ${connector}`);
  const directory = throwAwayDirectory('source');
  let engine: Engine;
  let server: Server;
  const logged: SourceBatch[] = [];

  const add = async (value: Buffer, records: number): Promise<void> => {
    const batch = new WriteBatchBuilder();
    for (let i = 0; i < records; i++) batch.put(1, Buffer.from(`key ${random.below(100)}`), value);
    if (records === 0) batch.logData(value);
    const bytes = batch.finish();
    const { first } = engine.commit(bytes);
    await engine.whenDurable(engine.sequence);
    logged.push({ sequence: first, count: records, bytes: Buffer.from(bytes) });
  };

  beforeAll(async () => {
    engine = await Engine.open(directory.path, { sync: 'none', segmentBytes: 64 * 1024 });
    server = await Server.listen(engine, { port: 0 });
    for (let i = 0; i < 500; i++)
      await add(random.bytes(random.below(random.below(20) === 0 ? 40_000 : 300)), 1 + random.below(4));
  });
  afterAll(async () => {
    await server.close();
    await engine.close();
    directory.remove();
  });

  const make = (): Source => {
    if (connector === 'engine') return new EngineSource(engine, { idleMs: 50 });
    if (connector === 'wal') return new WalSource({ path: directory.path, follow: true, pollMs: 5 });
    return new KvrocksSource(
      {
        url: `redis://127.0.0.1:${server.port}`,
        password: '',
        pollBatches: 1_000,
        idlePollMs: 5,
        answerTimeoutMs: 60_000,
        giveUpAfterMs: 2_000,
      },
      pluginContext(),
    );
  };

  /** Pulls until `count` batches are there. */
  const pull = async (source: Source, count: number, limits = () => limit): Promise<SourceBatch[]> => {
    const pulled: SourceBatch[] = [];
    while (pulled.length < count) {
      const { maxBatches, maxBytes } = limits();
      const more = await source.pull({ maxBatches, maxBytes }, neverAborts);
      if (more === null) throw new Error('the source ended');
      expect(more.batches.length).toBeLessThanOrEqual(maxBatches);
      const bytes = more.batches.reduce((total, batch) => total + batch.bytes.length, 0);
      if (more.batches.length > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
      pulled.push(...more.batches);
    }
    return pulled;
  };

  const counted = (batches: readonly SourceBatch[]): readonly SourceBatch[] =>
    batches.filter((batch) => batch.count > 0);

  it('delivers every batch, whole, in order and as it was written', async () => {
    await using source = make();
    await source.open({ kind: 'beginning' }, neverAborts);
    const pulled = await pull(source, logged.length);
    expect(pulled.map(fingerprint)).toEqual(logged.map(fingerprint));
    expect((await source.pull(limit, neverAborts))?.batches).toEqual([]);
  });

  it('keeps the limits of each pull, except for a single batch that is larger', async () => {
    await using source = make();
    await source.open({ kind: 'beginning' }, neverAborts);
    const limits = () => ({ maxBatches: 1 + random.below(7), maxBytes: 1 + random.below(30_000) });
    const pulled = await pull(source, logged.length, limits);
    expect(pulled.map(fingerprint)).toEqual(logged.map(fingerprint));
  });

  it('goes on behind any position', async () => {
    for (let round = 0; round < 20; round++) {
      const at = random.below(logged.length - 1);
      await using source = make();
      await source.open({ kind: 'after', position: positionOf(logged[at]) }, neverAborts);
      const [next] = await pull(source, 1);
      expect(next).toEqual(logged[at + 1]);
    }
  });

  it('starts at the newest, and waits for what comes', async () => {
    await using source = make();
    await source.open({ kind: 'latest' }, neverAborts);
    expect((await source.pull(limit, neverAborts))?.batches).toEqual([]);
    const next = pull(source, 1);
    await add(Buffer.from('new'), 2);
    expect(await next).toEqual([logged.at(-1)]);
    expect((await source.pull(limit, neverAborts))?.latestSequence).toBe(engine.sequence);
    await add(Buffer.from('not pulled'), 3);
    const told = await source.retention?.(neverAborts);
    expect(told?.latestSequence).toBe(connector === 'wal' ? undefined : engine.sequence);
  });

  it('passes over batches that change nothing, also right at a position', async () => {
    await using source = make();
    await source.open({ kind: 'latest' }, neverAborts);
    await add(Buffer.from('nothing'), 0);
    await add(Buffer.from('nothing'), 0);
    await add(Buffer.from('something'), 1);
    const something = logged.at(-1);
    const pulled: SourceBatch[] = [];
    while (counted(pulled).length < 1) pulled.push(...(await pull(source, 1)));
    expect(counted(pulled)).toEqual([something]);
    await add(Buffer.from('more'), 1);
    const position = positionOf(logged.at(-2) as SourceBatch);
    await using resumed = make();
    await resumed.open({ kind: 'after', position }, neverAborts);
    expect(await pull(resumed, 1)).toEqual([logged.at(-1)]);
  });

  it('refuses a position of another history, and one that lies ahead', async () => {
    const position = positionOf(logged[100]);
    const starts: [StartPoint, string][] = [
      [{ kind: 'after', position: { ...position, crc: position.crc ^ 1 } }, 'HISTORY_MISMATCH'],
      [{ kind: 'after', position: { ...position, count: position.count + 1 } }, 'HISTORY_MISMATCH'],
      [
        { kind: 'after', position: { ...position, sequence: engine.sequence + position.count } },
        'WAL_SEQUENCE_AHEAD',
      ],
      [{ kind: 'after', position: { ...position, sequence: 1_000_000 } }, 'WAL_SEQUENCE_AHEAD'],
    ];
    for (const [start, code] of starts) {
      await using source = make();
      await expect(source.open(start, neverAborts)).rejects.toMatchObject({ code });
    }
  });

  it('gives up a pull when it is aborted, and goes on with the next', async () => {
    await using source = make();
    await source.open({ kind: 'latest' }, neverAborts);
    const stop = new AbortController();
    const waiting = (async () => {
      for (;;) await source.pull(limit, stop.signal);
    })();
    stop.abort(new Error('stopped by the test'));
    await expect(waiting).rejects.toThrow();
    await add(Buffer.from('after'), 1);
    expect(await pull(source, 1)).toEqual([logged.at(-1)]);
  });

  it('may be opened again elsewhere, and closed twice', async () => {
    const source = make();
    await source.open({ kind: 'beginning' }, neverAborts);
    await pull(source, 3);
    await source.open({ kind: 'after', position: positionOf(logged[7]) }, neverAborts);
    expect((await pull(source, 1))[0]).toEqual(logged[8]);
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
  });
});
