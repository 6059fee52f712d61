import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSink } from '../../sinks/file/index.js';
import { TailraceError } from '../../src/errors/index.js';
import { inaccessible } from '../../src/files/index.js';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import {
  Decoder,
  isSamePosition,
  type Position,
  type Sink,
  type SinkBatch,
  type SourceBatch,
} from '../../src/kit/index.js';
import { compileFilter, FileOffsetsStore } from '../../src/pipeline/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { ListSource } from '../support/list-source.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { waitUntil } from '../support/wait-until.js';
import { history, instantTiming, keysOf, never, pipelineOf } from './pipeline-setup.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('pipeline');
});
afterEach(() => directory.remove());

describe('pipeline', () => {
  it('delivers everything once and in order, and acknowledges it', async () => {
    const sample = history(500);
    const source = new ListSource(sample.batches);
    const sink = new ScriptedSink();
    const pipeline = pipelineOf(source, sink, { pullBatches: 7 });
    await pipeline.run(never);
    expect(sink.keys).toEqual(keysOf(sample));
    expect(source.acknowledged).toEqual(sample.positionAfter(500));
    expect(pipeline.status()).toMatchObject({
      state: 'stopped',
      creditBytesInUse: 0,
      changes: keysOf(sample).length,
    });
  });

  it('is run once at a time', async () => {
    const sample = history(20);
    const sink = new ScriptedSink();
    const pipeline = pipelineOf(new ListSource(sample.batches), sink);
    const first = pipeline.run(never);
    await expect(pipeline.run(never)).rejects.toMatchObject({ code: 'PIPELINE_OWNED' });
    await first;
    expect(sink.keys).toEqual(keysOf(sample));
  });

  it('starts where the sink stands', async () => {
    const sample = history(50);
    const source = new ListSource(sample.batches);
    const sink = new ScriptedSink();
    sink.position = sample.positionAfter(20);
    await pipelineOf(source, sink).run(never);
    expect(source.start).toEqual({ kind: 'after', position: sample.positionAfter(20) });
    expect(sink.keys).toEqual(keysOf(sample, 20));
  });

  it('starts each of several sinks where it stands', async () => {
    const sample = history(50);
    const [ahead, behind] = [new ScriptedSink(), new ScriptedSink()];
    ahead.position = sample.positionAfter(40);
    behind.position = sample.positionAfter(10);
    await pipelineOf(() => new ListSource(sample.batches), ahead, {
      sinks: [
        { name: 'a', sink: ahead },
        { name: 'b', sink: behind },
      ],
      pullBatches: 3,
    }).run(never);
    expect(ahead.keys).toEqual(keysOf(sample, 40));
    expect(behind.keys).toEqual(keysOf(sample, 10));
  });

  it('refuses a batch whose header has another sequence number than the source says', async () => {
    const sample = history(3);
    const unnumbered = sample.batches.map((batch) => ({
      ...batch,
      bytes: Buffer.from(batch.bytes).fill(0, 0, 8),
    }));
    const sink = new ScriptedSink();
    await expect(pipelineOf(new ListSource(unnumbered), sink).run(never)).rejects.toMatchObject({
      code: 'WAL_CORRUPT',
      context: { sequence: 1, found: 0 },
    });
    expect(sink.position).toBeNull();
  });

  it('refuses to go on when a sink holds another history than the source', async () => {
    const sample = history(50);
    const [ahead, behind] = [new ScriptedSink(), new ScriptedSink()];
    const position = sample.positionAfter(40) as Position;
    ahead.position = { ...position, crc: position.crc ^ 1 };
    const pipeline = pipelineOf(() => new ListSource(sample.batches), ahead, {
      sinks: [
        { name: 'a', sink: ahead },
        { name: 'b', sink: behind },
      ],
      pullBatches: 3,
    });
    await expect(pipeline.run(never)).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
  });

  it('ends with the error of a source that fails, never as if that had come to its end', async () => {
    const sample = history(50);
    class Failing extends ListSource {
      override async pull(...parameters: Parameters<ListSource['pull']>) {
        if (this.pulled >= 10) throw new TailraceError('SOURCE_UNREACHABLE', 'down');
        return super.pull(...parameters);
      }
    }
    const pipeline = pipelineOf(new Failing(sample.batches), new ScriptedSink(), { pullBatches: 5 });
    await expect(pipeline.run(never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  it('lets the source forget what is safe in the sink, not what that has only accepted', async () => {
    const sample = history(50);
    let makeSafe = (): void => undefined;
    const durable = new Promise<void>((resolve) => {
      makeSafe = resolve;
    });
    const sink = new ScriptedSink();
    sink.script = Array.from({ length: 50 }, () => (_batch: SinkBatch, apply: () => void) => {
      apply();
      return { kind: 'accepted' as const, durable };
    });
    let clock = 0;
    const source = new ListSource(sample.batches);
    const running = pipelineOf(source, sink, {
      pullBatches: 1,
      timing: { ...instantTiming(), now: () => (clock += 2_000) }, // so that each pull is time to acknowledge
    }).run(never);
    await waitUntil('everything is accepted', () => sink.keys.length === keysOf(sample).length);
    expect(source.acknowledged).toBeNull();
    makeSafe();
    await running;
    expect(source.acknowledged).toEqual(sample.positionAfter(50));
  });

  it('holds a bounded amount in memory while its sink is stopped and the source has millions of changes', async () => {
    const value = Buffer.alloc(200, 'x');
    const sample = new SampleHistory();
    sample.append([{ key: Buffer.from('k'), value }]);
    const [template] = sample.batches as [SourceBatch];
    const endless = new ListSource((at) => {
      const bytes = Buffer.from(template.bytes);
      bytes.writeUInt32LE(at + 1, 0);
      return { sequence: at + 1, count: 1, bytes };
    });
    const sink = new ScriptedSink();
    let letGo: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    sink.script = [
      async (_, apply) => {
        await stopped;
        apply();
        return { kind: 'durable' };
      },
    ];
    const creditBytes = 4 * 1024 * 1024;
    const pipeline = pipelineOf(endless, sink, { creditBytes });
    const stop = new AbortController();
    const running = pipeline.run(stop.signal);
    await waitUntil('the credit is used up', () => pipeline.status().creditBytesInUse >= creditBytes);
    const pulled = endless.pulled;
    for (let turn = 0; turn < 2_000; turn++) await nextTurn();
    expect(endless.pulled).toBe(pulled);
    expect(pipeline.status().creditBytesInUse).toBeLessThan(creditBytes + 1024 * 1024 + 1000);
    letGo();
    await waitUntil('the source is read again', () => endless.pulled > pulled);
    stop.abort();
    await running;
    expect(pipeline.status().creditBytesInUse).toBe(0);
    expect(sink.position?.sequence).toBe(endless.pulled);
  });

  it('delivers what is in flight when it is told to stop, and gives up after a while', async () => {
    const sample = history(5_000);
    const sink = new ScriptedSink();
    const stop = new AbortController();
    const source = new ListSource(sample.batches);
    const running = pipelineOf(source, sink, { pullBatches: 10 }).run(stop.signal);
    await waitUntil('something is delivered', () => sink.keys.length > 0);
    stop.abort();
    await running;
    expect(source.pulled).toBeLessThan(5_000);
    expect(sink.position).toEqual(sample.positionAfter(source.pulled));
    const stuck = new ScriptedSink();
    stuck.script = Array.from({ length: 10_000 }, () => async () => {
      await nextTurn();
      return { kind: 'retryable' as const, error: new Error('down for good') };
    });
    const stopStuck = new AbortController();
    const stuckRun = pipelineOf(new ListSource(sample.batches), stuck, { drainTimeoutMs: 30 }).run(
      stopStuck.signal,
    );
    await waitUntil('it tries', () => stuck.script.length < 9_990);
    stopStuck.abort();
    await expect(stuckRun).rejects.toThrow(/within 30 ms/);
    const failing = new ScriptedSink();
    const stopFailing = new AbortController();
    failing.script = [
      async () => {
        stopFailing.abort();
        await nextTurn();
        throw new Error('no room left');
      },
    ];
    const failed = pipelineOf(new ListSource(sample.batches), failing).run(stopFailing.signal);
    await expect(failed).rejects.toThrow(/no room left/);
  });

  it('moves the position of a running sink on, now and then, although nothing that comes is for it', async () => {
    const sample = new SampleHistory();
    sample.appendMany(3, 'mine');
    sample.appendMany(50, 'other');
    const sink = new ScriptedSink();
    const stop = new AbortController();
    let readable = 3;
    const filter = compileFilter({ keys: ['mine:*'] });
    const source = new ListSource((at) => (at < readable ? sample.batches[at] : undefined));
    const pull = source.pull.bind(source);
    source.pull = async (limit) => (await pull(limit)) ?? { batches: [], latestSequence: 53 };
    const pipeline = pipelineOf(source, sink, { filter, heartbeatMs: 5 });
    const running = pipeline.run(stop.signal);
    await waitUntil(
      'what is for it is there',
      () => sink.position?.sequence === sample.positionAfter(3)?.sequence,
    );
    readable = 53;
    await waitUntil('the position has moved on', () =>
      isSamePosition(sink.position, sample.positionAfter(53)),
    );
    expect(new Set(sink.keys.map((key) => key.split(':')[0]))).toEqual(new Set(['mine']));
    stop.abort();
    await running;
  });

  it('begins at the latest once: what comes after a stop before the first change is delivered', async () => {
    const sample = history(20);
    let written = 12;
    const open = (): ListSource => {
      const source = new ListSource((at) => (at < written ? sample.batches[at] : undefined));
      const newestPosition = async () => sample.positionAfter(written);
      return Object.assign(source, { newestPosition });
    };
    const holding = new ScriptedSink();
    const forgetful = Object.assign(new ScriptedSink(), { holdsPosition: false });
    const offsets = new FileOffsetsStore(directory.path);
    const run = () =>
      pipelineOf(open, holding, {
        startAt: 'latest',
        offsets,
        sinks: [
          { name: 'holding', sink: holding },
          { name: 'forgetful', sink: forgetful },
        ],
      }).run(never);
    await run();
    expect([holding.keys, forgetful.keys]).toEqual([[], []]);
    expect(holding.position).toEqual(sample.positionAfter(12));
    expect(await offsets.load('p', 'forgetful')).toEqual(sample.positionAfter(12));
    written = 20;
    forgetful.position = sample.positionAfter(12);
    await run();
    for (const { keys } of [holding, forgetful]) expect(keys).toEqual(keysOf(sample, 12));
  });

  it('counts no lag for what lies before a start at the latest', async () => {
    const sample = history(20);
    const latest = sample.positionAfter(12)?.sequence ?? 0;
    const all = sample.positionAfter(20)?.sequence ?? 0;
    const source = new ListSource((at) => (at < readable ? sample.batches[12 + at] : undefined));
    let readable = 0;
    const pull = source.pull.bind(source);
    source.pull = async (limit) => {
      const latestSequence = readable === 0 ? latest : all;
      return { batches: [], ...(await pull(limit)), latestSequence };
    };
    const sink = new ScriptedSink();
    const stop = new AbortController();
    const pipeline = pipelineOf(source, sink, { startAt: 'latest' });
    const running = pipeline.run(stop.signal);
    await waitUntil('the source has told', () => pipeline.status().latestSequence === latest);
    expect(pipeline.status().sinks[0]).toMatchObject({ position: null, lag: 0, lagMs: 0 });
    sink.script = [() => ({ kind: 'retryable', error: new Error('busy') })];
    readable = 8;
    await waitUntil('what came later is there', () => sink.position?.sequence === all);
    expect(pipeline.status().sinks[0]).toMatchObject({ lag: 0, writtenChanges: sink.keys.length });
    stop.abort();
    await running;
  });

  it('filters by key, type and operation, and still moves the position', async () => {
    const sample = history(40);
    const sink = new ScriptedSink();
    const filter = compileFilter({
      keys: ['key:1*'],
      excludeKeys: ['key:10'],
      types: ['string'],
      ops: ['put'],
    });
    const pipeline = pipelineOf(new ListSource(sample.batches), sink, { filter });
    await pipeline.run(never);
    expect(new Set(sink.keys)).toEqual(new Set(['key:1']));
    expect(sink.position).toEqual(sample.positionAfter(40));
    expect(pipeline.status().filteredChanges).toBe(keysOf(sample).length - sink.keys.length);
  });

  it('fails at what it cannot decode, unless it is told otherwise', async () => {
    const sample = history(2);
    const decoder = new Decoder();
    const makeDecoder = () => ({
      decode: (bytes: Buffer) => {
        const transaction = decoder.decode(bytes);
        const code = 'DECODE_UNSUPPORTED' as const;
        const fault = { seq: 1, ns: undefined, key: undefined, code, reason: 'no counterpart' };
        const { changes, first } = transaction;
        return { ...transaction, changes, undecodable: first === 1 ? [fault] : [] };
      },
    });
    await expect(
      pipelineOf(new ListSource(sample.batches), new ScriptedSink(), { makeDecoder }).run(never),
    ).rejects.toMatchObject({ code: 'DECODE_UNSUPPORTED' });
    const sink = new ScriptedSink();
    const pipeline = pipelineOf(new ListSource(sample.batches), sink, {
      makeDecoder,
      errors: { undecodable: 'skip' },
    });
    await pipeline.run(never);
    expect(pipeline.status().undecodableChanges).toBe(1);
    expect(sink.keys).toEqual(keysOf(sample));
  });

  it('keeps the position of a sink that cannot, and goes on from it', async () => {
    const sample = history(30);
    const path = join(directory.path, 'offsets');
    const makeSink = (): Sink & { keys: string[] } =>
      Object.assign(new ScriptedSink(), { holdsPosition: false, position: null });
    const first = makeSink();
    {
      await using offsets = new FileOffsetsStore(path);
      await pipelineOf(new ListSource(sample.batches.slice(0, 12)), first, { offsets }).run(never);
    }
    await using offsets = new FileOffsetsStore(path);
    expect(await offsets.list()).toMatchObject([
      { pipeline: 'p', sink: 'sink', position: sample.positionAfter(12) },
    ]);
    const source = new ListSource(sample.batches);
    const sink = makeSink();
    const pipeline = pipelineOf(source, sink, { offsets });
    Object.assign(sink, { position: sample.positionAfter(12) });
    await pipeline.run(never);
    expect(source.start).toEqual({ kind: 'after', position: sample.positionAfter(12) });
    expect(sink.keys).toEqual(keysOf(sample, 12));
  });

  it('goes on while its position cannot be stored, and stores it once there is room again', async () => {
    const sample = history(30);
    class FullStore extends FileOffsetsStore {
      failures = 0;
      override async save(...place: Parameters<FileOffsetsStore['save']>): Promise<void> {
        if (this.failures++ < 5) throw inaccessible('/full', new Error('ENOSPC: no space left on device'));
        await super.save(...place);
      }
    }
    await using offsets = new FullStore(join(directory.path, 'full'));
    const sink = Object.assign(new ScriptedSink(), { holdsPosition: false, position: null });
    const warnings: string[] = [];
    const log = { ...pluginContext('p').log, warn: (text: string) => void warnings.push(text) };
    let nowMs = 0;
    const timing = { ...instantTiming(), now: () => (nowMs += 250) };
    const options = { offsets, log, timing, pullBatches: 1, creditBytes: 1 };
    await pipelineOf(new ListSource(sample.batches), sink, options).run(never);
    expect(sink.keys).toEqual(keysOf(sample));
    expect(await offsets.load('p', 'sink')).toEqual(sample.positionAfter(30));
    expect(warnings[0]).toBe('the position could not be stored, trying again');
    expect(warnings.length).toBeLessThan(4);
  });

  it('ends in a file that holds each change once, whatever was torn off its end', async () => {
    const sample = history(300);
    const path = join(directory.path, 'out.ndjson');
    const open = (): FileSink => new FileSink({ path, source: '', sync: false }, pluginContext('p'));
    for (const count of [50, 51, 200, 300]) {
      await using sink = open();
      await pipelineOf(new ListSource(sample.batches.slice(0, count)), sink).run(never);
      await sink[Symbol.asyncDispose]();
      appendFileSync(path, '{"v":1,"torn');
    }
    await using sink = open();
    await sink.claim();
    const keys = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { key: string }).key);
    expect(keys).toEqual(keysOf(sample));
  });
});
