import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WalSource } from '../../connectors/wal/index.js';
import { FileSink, type FileSinkOptions } from '../../sinks/file/index.js';
import { SampleHistory } from '../../src/kit/conformance/sample-history.js';
import { type Claim, nodeFiles, parseEvent } from '../../src/kit/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';
import { waitUntil } from '../support/wait-until.js';

const signal = new AbortController().signal;
const rotate = { bytes: 2_000, every: 0 };

describe('the file sink', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  let history: SampleHistory;
  const sinks: FileSink[] = [];

  beforeEach(() => {
    directory = throwAwayDirectory('file-sink');
    history = new SampleHistory();
    history.appendMany(60);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const sink of sinks.splice(0)) await sink[Symbol.asyncDispose]();
    directory.remove();
  });

  const open = (options: Partial<FileSinkOptions> = {}): FileSink => {
    const path = join(directory.path, 'out.ndjson');
    const sink = new FileSink({ path, source: '', sync: false, ...options }, pluginContext());
    sinks.push(sink);
    return sink;
  };
  const files = (ending = ''): string[] =>
    readdirSync(directory.path)
      .filter((name) => /^out\.\d+/.test(name) && name.endsWith(ending))
      .sort();
  const textOf = (name: string): string => {
    const bytes = readFileSync(join(directory.path, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  };
  const sequences = (text: string): number[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => parseEvent(line).change.seq);
  /** Writes batches one by one, from where the claim stands. */
  const writeFrom = async (sink: FileSink, claim: Claim, from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at++)
      expect(await sink.write(history.sinkBatch(at, at + 1), claim)).toEqual({ kind: 'durable' });
  };
  const all = (): number[] =>
    history.sinkBatch(0, 60).transactions.flatMap(({ changes }) => changes.map(({ seq }) => seq));

  it('goes on with a new file when one is large enough, at the end of a batch', async () => {
    const sink = open({ rotate });
    const claim = await sink.claim();
    await writeFrom(sink, claim, 0, 60);
    const names = files();
    expect(names.length).toBeGreaterThan(5);
    expect(names[0]).toBe('out.000001.ndjson');
    for (const name of names.slice(0, -1)) expect(textOf(name).length).toBeLessThanOrEqual(2_000);
    expect(sequences(names.map(textOf).join(''))).toEqual(all());
  });

  it('finds its place again at any moment of a rotation', async () => {
    let sink = open({ rotate });
    let claim = await sink.claim();
    await writeFrom(sink, claim, 0, 30);
    const active = files().at(-1) ?? '';
    await sink[Symbol.asyncDispose]();
    // A crash behind the making of the next file, and one in the middle of a write.
    const number = Number(/\d+/.exec(active)?.[0]);
    writeFileSync(join(directory.path, `out.${String(number + 1).padStart(6, '0')}.ndjson`), 'torn');
    writeFileSync(join(directory.path, active), `${textOf(active)}{"half a li`);
    sink = open({ rotate });
    claim = await sink.claim();
    expect(claim.position).toEqual(history.positionAfter(30));
    await writeFrom(sink, claim, 30, 60);
    expect(sequences(files().map(textOf).join(''))).toEqual(all());
  });

  it('begins a new file when one is old enough, also when nothing more comes', async () => {
    const sink = open({ rotate: { bytes: 0, every: 150 } });
    const claim = await sink.claim();
    await writeFrom(sink, claim, 0, 5);
    await waitUntil('there is one that nothing was written to', () => textOf(files().at(-1) ?? '') === '');
    expect(files().length).toBeGreaterThan(1);
    await writeFrom(sink, claim, 5, 60);
    expect(sequences(files().map(textOf).join(''))).toEqual(all());
  });

  it('compresses finished files, those that an interrupted run left behind included', async () => {
    let sink = open({ rotate });
    await writeFrom(sink, await sink.claim(), 0, 30);
    await sink[Symbol.asyncDispose]();
    const left = files('.ndjson').length;
    writeFileSync(join(directory.path, 'out.000001.ndjson.gz.part'), 'cut off');
    sink = open({ rotate, compress: 'gzip' });
    const claim = await sink.claim();
    await waitUntil('what was left is compressed', async () => files('.gz').length === left - 1);
    await writeFrom(sink, claim, 30, 60);
    await waitUntil('only the last file is not compressed', async () => files('.ndjson').length === 1);
    expect(existsSync(join(directory.path, 'out.000001.ndjson.gz.part'))).toBe(false);
    expect(sequences(files().map(textOf).join(''))).toEqual(all());
  });

  it('lets nobody read a compressed file who may not read what it was made of', async () => {
    const sink = open({ rotate, compress: 'gzip' });
    await writeFrom(sink, await sink.claim(), 0, 60);
    await waitUntil('a file is compressed', () => files('.gz').length > 0);
    const modes = files('.gz').map((name) => statSync(join(directory.path, name)).mode & 0o777);
    expect(new Set(modes)).toEqual(
      new Set([statSync(join(directory.path, 'out.ndjson.position')).mode & 0o777]),
    );
  });

  it('compresses with zstd where Node.js can, and says so where it cannot', async () => {
    if (Reflect.get(zlib, 'createZstdCompress') === undefined) {
      expect(() => open({ rotate, compress: 'zstd' })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
      return;
    }
    const sink = open({ rotate, compress: 'zstd' });
    await writeFrom(sink, await sink.claim(), 0, 60);
    await waitUntil('finished files are compressed', async () => files('.ndjson').length === 1);
    expect(files('.zst').length).toBeGreaterThan(5);
  });

  it('does not compress what is never finished', () => {
    expect(() => open({ compress: 'gzip' })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('writes raw batches as log files, which the wal source reads back', async () => {
    const path = join(directory.path, 'raw');
    let sink = open({ path, format: 'raw', rotate: { bytes: 1_500, every: 0 } });
    await writeFrom(sink, await sink.claim(), 0, 20);
    await sink[Symbol.asyncDispose]();
    sink = open({ path, format: 'raw', rotate: { bytes: 40_000, every: 0 } });
    const claim = await sink.claim();
    expect(claim.position).toEqual(history.positionAfter(20));
    await writeFrom(sink, claim, 20, 60);
    history.append([{ key: Buffer.from('large'), value: Buffer.alloc(100_000, 'x') }]);
    await writeFrom(sink, claim, 60, 61);
    expect(readdirSync(path).filter((name) => /^\d{6}\.log$/.test(name)).length).toBeGreaterThan(2);
    await using source = new WalSource({ path, follow: false, pollMs: 5 });
    await source.open({ kind: 'beginning' });
    const read: Buffer[] = [];
    for (;;) {
      const pulled = await source.pull({ maxBatches: 100, maxBytes: 1e6 }, signal);
      if (pulled === null) break;
      read.push(...pulled.batches.map(({ bytes }) => bytes));
    }
    expect(Buffer.concat(read)).toEqual(Buffer.concat(history.batches.map(({ bytes }) => bytes)));
  });

  it('waits for room on a full disk, wherever that ran out, and then holds each change once', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const { write, datasync, open: openFile } = nodeFiles;
    let calls = 0;
    let failsAt = 0;
    const mayFail = async (): Promise<void> => {
      if (++calls === failsAt) throw full;
    };
    vi.spyOn(nodeFiles, 'write').mockImplementation(async (fd, bytes, position) => {
      // Some of it still has room.
      if (calls + 1 === failsAt) await write(fd, bytes.subarray(0, bytes.length >> 1), position);
      await mayFail();
      await write(fd, bytes, position);
    });
    vi.spyOn(nodeFiles, 'datasync').mockImplementation((fd) => mayFail().then(() => datasync(fd)));
    vi.spyOn(nodeFiles, 'open').mockImplementation((...file) => mayFail().then(() => openFile(...file)));
    let sink = open({ rotate, sync: true });
    const claimed = async (): Promise<Claim> => {
      for (;;)
        try {
          return await sink.claim();
        } catch (error) {
          expect(error).toMatchObject({
            code: 'SINK_UNREACHABLE',
            message: expect.stringContaining('ENOSPC'),
          });
        }
    };
    let failed = 0;
    for (let at = 0; at < 60; at++) {
      if (at % 10 === 0) {
        await sink[Symbol.asyncDispose]();
        sink = open({ rotate, sync: true });
      }
      // A claim and a write with a rotation make about ten calls; each is the one that fails in its turn.
      failsAt = calls + 1 + (at % 12);
      const claim = await claimed();
      expect(claim.position).toEqual(history.positionAfter(at));
      const batch = history.sinkBatch(at, at + 1);
      let outcome = await sink.write(batch, claim);
      for (; outcome.kind === 'retryable'; outcome = await sink.write(batch, claim)) failed++;
      expect(outcome).toEqual({ kind: 'durable' });
    }
    expect(failed).toBeGreaterThan(5);
    expect(files().length).toBeGreaterThan(5);
    expect(sequences(files().map(textOf).join(''))).toEqual(all());
  });

  it('refuses a file that is shorter than its journal says, and one without a journal', async () => {
    const path = join(directory.path, 'out.ndjson');
    const sink = open({ sync: true });
    await writeFrom(sink, await sink.claim(), 0, 5);
    await sink[Symbol.asyncDispose]();
    expect(await open().check()).toMatchObject([
      { status: 'ok' },
      { name: 'position', detail: expect.stringMatching(/is at sequence number \d+$/) },
    ]);
    truncateSync(path, 10);
    expect(await open({ sync: true }).check()).toMatchObject([{ status: 'fail' }]);
    const refused = open({ sync: true });
    await expect(refused.claim()).rejects.toMatchObject({ code: 'SINK_FAILED' });
    await refused[Symbol.asyncDispose]();
    rmSync(`${path}.position`);
    await expect(open().claim()).rejects.toMatchObject({
      code: 'SINK_FAILED',
      message: expect.stringContaining('journal'),
    });
    expect(await open().check()).toMatchObject([
      { status: 'fail', detail: expect.stringContaining('journal') },
    ]);
    rmSync(path);
    expect(await open().check()).toMatchObject([{ status: 'ok' }]);
  });

  it('goes on with a new file where the one that is being written is moved away, as logrotate does', async () => {
    const path = join(directory.path, 'out.ndjson');
    const taken: string[] = [];
    const take = (): void => {
      taken.push(readFileSync(path, 'utf8'));
      renameSync(path, `${path}.${taken.length}`);
    };
    let sink = open({ sync: true });
    let claim = await sink.claim();
    await writeFrom(sink, claim, 0, 10);
    take();
    await writeFrom(sink, claim, 10, 20);
    take();
    writeFileSync(path, '');
    await writeFrom(sink, claim, 20, 30);
    // With its journal, and while no process writes.
    take();
    rmSync(`${path}.position`);
    await writeFrom(sink, claim, 30, 40);
    await sink[Symbol.asyncDispose]();
    take();
    expect(await open({ sync: true }).check()).toMatchObject([
      { status: 'ok', detail: expect.stringContaining('a new one will be begun') },
      { status: 'ok' },
    ]);
    sink = open({ sync: true });
    claim = await sink.claim();
    expect(claim.position).toEqual(history.positionAfter(40));
    await writeFrom(sink, claim, 40, 60);
    expect(sequences(taken.join('') + readFileSync(path, 'utf8'))).toEqual(all());
  });

  it('gives no number twice to files that are moved away while they are written', async () => {
    const sink = open({ rotate: { bytes: 100_000, every: 0 }, sync: true });
    const claim = await sink.claim();
    const taken: string[] = [];
    for (let at = 0; at < 60; at += 20) {
      await writeFrom(sink, claim, at, at + 20);
      const [name] = files();
      taken.push(textOf(name));
      expect(name).toBe(`out.00000${taken.length}.ndjson`);
      rmSync(join(directory.path, name));
    }
    expect(sequences(taken.join(''))).toEqual(all());
  });

  it('takes a batch once, and none by an older claim', async () => {
    const path = join(directory.path, 'out.ndjson');
    const sink = open();
    const old = await sink.claim();
    await writeFrom(sink, old, 0, 5);
    const again = await sink.write(history.sinkBatch(4, 5), old);
    expect(again.kind).toBe('fenced');
    const ahead = await sink.write(history.sinkBatch(6, 7), old);
    expect(ahead.kind).toBe('fenced');
    const claim = await sink.claim();
    expect((await sink.write(history.sinkBatch(5, 6), old)).kind).toBe('fenced');
    await writeFrom(sink, claim, 5, 60);
    expect(sequences(readFileSync(path, 'utf8'))).toEqual(all());
  });

  it('writes nothing more into a file that was cut, or behind what somebody else wrote there', async () => {
    const path = join(directory.path, 'out.ndjson');
    for (const meddle of [
      () => truncateSync(path, 0),
      () => truncateSync(path, 10),
      () => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, 'x'.repeat(100_000));
      },
    ]) {
      const sink = open({ sync: true });
      const claim = await sink.claim();
      await writeFrom(sink, claim, 0, 5);
      meddle();
      const found = readFileSync(path);
      expect(await sink.write(history.sinkBatch(5, 6), claim)).toMatchObject({
        kind: 'fatal',
        error: { code: 'SINK_FAILED', message: expect.stringContaining(path) },
      });
      expect(readFileSync(path)).toEqual(found);
      await sink[Symbol.asyncDispose]();
      rmSync(path);
      rmSync(`${path}.position`);
    }
  });

  it('writes nothing into a file of another format, and goes on where it has its own again', async () => {
    for (const [format, other] of [
      ['ndjson', 'resp'],
      ['resp', 'ndjson'],
    ] as const) {
      const path = join(directory.path, `${format}.out`);
      const first = open({ path, format });
      await writeFrom(first, await first.claim(), 0, 5);
      await first[Symbol.asyncDispose]();
      const found = readFileSync(path);
      const wrong = open({ path, format: other });
      const refusal = { code: 'SINK_FAILED', message: `${path} was written in another format` };
      expect(await wrong.check()).toMatchObject([{ status: 'fail', detail: refusal.message }]);
      await expect(wrong.claim()).rejects.toMatchObject(refusal);
      await wrong[Symbol.asyncDispose]();
      expect(readFileSync(path)).toEqual(found);
      const again = open({ path, format });
      await writeFrom(again, await again.claim(), 5, 6);
    }
  });

  it('goes back to the last commit that the file holds when a power cut took what was not synced', async () => {
    const path = join(directory.path, 'out.ndjson');
    let sink = open({ sync: false });
    let claim = await sink.claim();
    await writeFrom(sink, claim, 0, 20);
    const { size } = statSync(path);
    await writeFrom(sink, claim, 20, 40);
    await sink[Symbol.asyncDispose]();
    truncateSync(path, size + 5);
    sink = open({ sync: false });
    expect(await sink.check()).toMatchObject([{ status: 'ok' }, { status: 'ok' }]);
    claim = await sink.claim();
    expect(claim.position).toEqual(history.positionAfter(20));
    await writeFrom(sink, claim, 20, 60);
    expect(sequences(readFileSync(path, 'utf8'))).toEqual(all());
  });

  it('writes where a link leads to, and keeps others out of that file by whatever name', async () => {
    const path = join(directory.path, 'real.ndjson');
    const link = join(directory.path, 'link.ndjson');
    symlinkSync(path, link);
    const first = open({ path: link });
    await writeFrom(first, await first.claim(), 0, 5);
    await first[Symbol.asyncDispose]();
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    const sink = open({ path: link });
    await writeFrom(sink, await sink.claim(), 5, 6);
    await expect(open({ path }).claim()).rejects.toMatchObject({ code: 'SINK_FENCED' });
    expect(sequences(readFileSync(path, 'utf8'))).toEqual(
      all().filter((seq) => seq <= (history.positionAfter(6)?.sequence ?? 0)),
    );
  });

  it('tells beforehand of a path on which no file can be made', async () => {
    const path = join(directory.path, 'a-file');
    writeFileSync(path, '');
    expect(await open({ path: join(path, 'below', 'out.ndjson') }).check()).toMatchObject([
      { status: 'fail', detail: `cannot access ${path}: it is no directory` },
    ]);
    expect(await open({ path: directory.path }).check()).toMatchObject([
      { status: 'fail', detail: `cannot access ${directory.path}: it is a directory` },
    ]);
  });
});
