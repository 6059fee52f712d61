import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventLinesDecoder, FileSource, type FileSourceOptions } from '../../connectors/file/index.js';
import { LineReader } from '../../connectors/file/line-reader.js';
import { FileSink } from '../../sinks/file/index.js';
import { Engine } from '../../src/engine/index.js';
import { positionOf, type SinkBatch, type SourceBatch } from '../../src/kit/index.js';
import { snapshotOf } from '../../src/migration/step-writer.js';
import { throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { SinkBatches } from '../support/sink-batches.js';

const signal = new AbortController().signal;

describe('the file source', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  let engine: Engine;
  let written: SinkBatch[];
  const sources: FileSource[] = [];
  const context = pluginContext();
  let warnings: string[];

  beforeEach(async () => {
    directory = throwAwayDirectory('file-source');
    warnings = [];
    engine = await Engine.open(join(directory.path, 'store'), { sync: 'none' });
    const commands = new CommandRunner(engine);
    for (let i = 0; i < 40; i++) {
      commands.run('MSET', `a${i}`, 'x', Buffer.from([0xff, i]), 'y');
      commands.run('HSET', `h${i % 3}`, 'f', i, 'g', i);
      commands.run('RPUSH', 'l', i);
      commands.run('ZADD', 'z', i / 4, `m${i}`);
      commands.run('EXPIRE', `h${i % 3}`, 1000);
    }
    const batches = new SinkBatches(engine);
    written = [];
    for (let i = 0; i < 20; i++) written.push(await batches.take(10));
  });
  afterEach(async () => {
    for (const source of sources.splice(0)) await source[Symbol.asyncDispose]();
    await engine.close();
    directory.remove();
  });

  const path = (): string => join(directory.path, 'out.ndjson');
  const write = async (parts: readonly SinkBatch[], rotateBytes = 0): Promise<void> => {
    const rotate = { bytes: rotateBytes, every: 0 };
    await using sink = new FileSink({ path: path(), source: '', sync: false, rotate }, pluginContext());
    const claim = await sink.claim();
    for (const part of parts) expect(await sink.write(part, claim)).toEqual({ kind: 'durable' });
  };
  const open = (options: Partial<FileSourceOptions> = {}): FileSource => {
    const source = new FileSource(
      { path: path(), follow: false, pollMs: 2, ...options },
      { ...context, log: { ...context.log, warn: (message) => void warnings.push(message) } },
    );
    sources.push(source);
    return source;
  };
  const take = async (source: FileSource, atMost = 1_000): Promise<SourceBatch[]> => {
    const taken: SourceBatch[] = [];
    while (taken.length < atMost) {
      const pulled = await source.pull(
        { maxBatches: Math.min(7, atMost - taken.length), maxBytes: 3_000 },
        signal,
      );
      if (pulled === null) break;
      taken.push(...pulled.batches);
    }
    return taken;
  };
  const changesOf = (batches: readonly SourceBatch[]): unknown[] =>
    batches.map(({ bytes }) => {
      const { first, last, changes } = new EventLinesDecoder().decode(bytes);
      return JSON.parse(
        JSON.stringify({ first, last, changes }, (_, value) =>
          typeof value === 'bigint' ? `${value}` : value,
        ),
      );
    });
  /** Transactions without changes are not in a file. */
  const expected = (parts = written): unknown[] =>
    parts
      .flatMap(({ transactions }) => transactions)
      .filter(({ changes }) => changes.length > 0)
      .map(({ first, last, changes }) => JSON.parse(JSON.stringify({ first, last, changes })));

  it('gives back the transactions that the file sink was given', async () => {
    await write(written);
    const source = open();
    await source.open({ kind: 'beginning' });
    expect(changesOf(await take(source))).toEqual(expected());
  });

  it('reads rotated files in order, compressed or not', async () => {
    await write(written, 4_000);
    for (const file of ['out.000001.ndjson', 'out.000003.ndjson']) {
      const content = readFileSync(join(directory.path, file));
      writeFileSync(join(directory.path, `${file}.gz`), gzipSync(content));
      if (file !== 'out.000003.ndjson') rmSync(join(directory.path, file)); // the other is being compressed
    }
    const source = open();
    await source.open({ kind: 'beginning' });
    expect(changesOf(await take(source))).toEqual(expected());
  });

  it('goes on right behind a position, and knows when the files are others', async () => {
    await write(written);
    const all = open();
    await all.open({ kind: 'beginning' });
    const batches = await take(all);
    for (const at of [0, 57, batches.length - 1]) {
      const source = open();
      await source.open({ kind: 'after', position: positionOf(batches[at]) });
      expect(await take(source)).toEqual(batches.slice(at + 1));
    }
    const position = positionOf(batches[9]);
    await expect(open().open({ kind: 'after', position: { ...position, crc: 1 } })).rejects.toMatchObject({
      code: 'HISTORY_MISMATCH',
    });
    await expect(
      open().open({ kind: 'after', position: { ...position, sequence: 1e9 } }),
    ).rejects.toMatchObject({
      code: 'WAL_SEQUENCE_AHEAD',
    });
    const latest = open();
    await latest.open({ kind: 'latest' });
    expect(await take(latest)).toEqual([]);
  });

  it('follows a file that grows, is rotated and compressed', async () => {
    const source = open({ follow: true });
    await source.open({ kind: 'beginning' });
    const seen: SourceBatch[] = [];
    const until = async (count: number): Promise<void> => {
      while (seen.length < count) seen.push(...(await take(source, 1)));
    };
    await write(written.slice(0, 5), 100_000);
    await until(expected(written.slice(0, 5)).length);
    await write(written.slice(5, 10), 100_000);
    const first = join(directory.path, 'out.000001.ndjson');
    writeFileSync(`${first}.gz`, gzipSync(readFileSync(first)));
    rmSync(first);
    renameSync(`${path()}.position`, `${path()}.elsewhere`);
    writeFileSync(join(directory.path, 'out.000002.ndjson'), '');
    await until(expected(written.slice(0, 10)).length);
    expect(changesOf(seen)).toEqual(expected(written.slice(0, 10)));
  });

  it('does not deliver a transaction that is not whole', async () => {
    await write(written.slice(0, 2));
    const whole = readFileSync(path(), 'utf8');
    const lines = whole.split('\n');
    const multiple = lines.findIndex((line) => line.includes('"size":2'));
    writeFileSync(path(), `${lines.slice(0, multiple + 1).join('\n')}\n`);
    const source = open({ follow: true });
    await source.open({ kind: 'beginning' });
    const before = await take(source, multiple);
    const { batches } = (await source.pull({ maxBatches: 5, maxBytes: 1e6 }, signal)) ?? {};
    expect(before.length + (batches?.length ?? 0)).toBeLessThan(multiple + 1);
    expect(warnings).toEqual([]); // the rest is waited for
    const last = open();
    await last.open({ kind: 'beginning' });
    expect((await take(last)).length).toBe(before.length + (batches?.length ?? 0));
    expect(warnings).toEqual(['the file ends in the middle of a transaction, which is left out']);
    appendFileSync(path(), lines.slice(multiple + 1).join('\n'));
    const rest = await take(
      source,
      expected(written.slice(0, 2)).length - before.length - (batches?.length ?? 0),
    );
    expect(changesOf([...before, ...(batches ?? []), ...rest])).toEqual(expected(written.slice(0, 2)));
  });

  it('names file and line of what is no event, and of a transaction that was cut', async () => {
    await write(written.slice(0, 2));
    const lines = readFileSync(path(), 'utf8').split('\n');
    writeFileSync(path(), [lines[0], 'nonsense', ...lines.slice(1)].join('\n'));
    const source = open();
    await source.open({ kind: 'beginning' });
    await expect(take(source)).rejects.toMatchObject({ code: 'EVENT_INVALID', context: { line: 2 } });
    const multiple = lines.findIndex((line) => line.includes('"size":2'));
    writeFileSync(path(), lines.filter((_, at) => at !== multiple).join('\n'));
    const other = open();
    await other.open({ kind: 'beginning' });
    await expect(take(other)).rejects.toMatchObject({
      code: 'EVENT_INVALID',
      context: { line: multiple + 2 },
    });
    const none = open({ path: join(directory.path, 'nothing.ndjson') });
    await none.open({ kind: 'beginning' });
    await expect(take(none)).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
  });

  it('tells beforehand of a directory in its place, and of a file that has no events', async () => {
    await write(written.slice(0, 2));
    expect(await open().check()).toEqual([{ name: 'files', status: 'ok', detail: path() }]);
    await expect(open({ path: directory.path }).check()).rejects.toMatchObject({
      code: 'FILE_INACCESSIBLE',
      remedy: expect.stringContaining('name another place'),
    });
    writeFileSync(path(), 'nonsense\n');
    await expect(open().check()).rejects.toMatchObject({ code: 'EVENT_INVALID', context: { line: 1 } });
    expect(await open({ path: join(directory.path, 'nothing.ndjson') }).check()).toMatchObject([
      { status: 'fail' },
    ]);
  });

  it('refuses a snapshot of several parts, which have one sequence number, with file and line', async () => {
    const parts = ['a', 'b'].map((key, at) =>
      snapshotOf(
        [{ seq: 9, index: 1_000_000 + at, ns: 'default', op: 'delete', type: 'key', key: Buffer.from(key) }],
        9,
      ),
    );
    const position = { sequence: 9, count: 0, crc: 1 };
    await write([{ transactions: parts, position, previous: null, byteLength: 0 }]);
    const source = open();
    await source.open({ kind: 'beginning' });
    await expect(take(source)).rejects.toMatchObject({
      code: 'SOURCE_UNSUPPORTED',
      context: { file: path(), line: 2 },
    });
  });

  it('reads lines of any length, and those that are written in pieces', async () => {
    const lines = ['x'.repeat(300_000), 'short', '', 'y'.repeat(65_536), 'z'.repeat(65_535)];
    writeFileSync(path(), `${lines.join('\n')}\nbegun`);
    const reader = new LineReader(path());
    const read = async (): Promise<[string, number][]> => {
      const found: [string, number][] = [];
      for await (const { bytes, number } of reader.lines()) found.push([bytes.toString(), number]);
      return found;
    };
    expect(await read()).toEqual(
      lines.flatMap((line, at) => (line === '' ? [] : [[line, at + 1] as [string, number]])),
    );
    expect(reader.tornBytes).toBe(5);
    appendFileSync(path(), ' and');
    expect(await read()).toEqual([]);
    appendFileSync(path(), ' ended\nnext\n');
    expect(await read()).toEqual([
      ['begun and ended', 6],
      ['next', 7],
    ]);
    expect(reader.tornBytes).toBe(0);
  });
});
