import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TailraceError } from '../../src/errors/index.js';
import { Decoder, isSamePosition, type SinkBatch, type Source } from '../../src/kit/index.js';
import {
  FileDeadLetters,
  RedisDeadLetters,
  RedisOffsetsStore,
  SinkDeadLetters,
} from '../../src/pipeline/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { ListSource } from '../support/list-source.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { waitUntil } from '../support/wait-until.js';
import { history, instantTiming, keysOf, never, pipelineOf } from './pipeline-setup.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('pipeline');
});
afterEach(() => directory.remove());

describe('a pipeline whose sink fails, refuses or says nothing', () => {
  it('tries again with growing pauses while a sink is down, and asks it after an unknown outcome', async () => {
    const sample = history(20);
    const sink = new ScriptedSink();
    sink.failClaims = 2;
    const timing = instantTiming();
    sink.script = [
      () => ({ kind: 'retryable', error: new Error('busy') }),
      () => ({ kind: 'retryable', error: new Error('busy'), afterMs: 777 }),
      () => ({ kind: 'unknown', error: new Error('cut before it was applied') }),
      (_, apply) => {
        apply();
        return { kind: 'unknown', error: new Error('cut after it was applied') };
      },
    ];
    const pipeline = pipelineOf(new ListSource(sample.batches), sink, { timing });
    await pipeline.run(never);
    expect(sink.keys).toEqual(keysOf(sample));
    expect(timing.slept.slice(0, 4)).toEqual([25, 50, 25, 777]);
    expect([sink.claims, pipeline.status().sinks[0]?.retries]).toEqual([5, 6]);
  });

  it('tells no lag before the sink has told where it stands, and the source’s way on while it takes nothing', async () => {
    const sample = history(20);
    const sink = new ScriptedSink();
    const last = sample.positionAfter(20)?.sequence ?? 0;
    // Time stands still until the test says so: every pause is a step of its own.
    const slept: (() => void)[] = [];
    let nowMs = 0;
    const timing = {
      now: () => nowMs,
      random: () => 0.5,
      sleep: () => new Promise<void>((resolve) => slept.push(resolve)),
    };
    const goOn = async (name: string): Promise<void> => {
      await waitUntil(`it is tried again: ${name}`, () => slept.length > 0);
      nowMs += 10_000;
      slept.shift()?.();
    };
    let latestSequence = last;
    class Growing extends ListSource {
      override async pull(...parameters: Parameters<ListSource['pull']>) {
        const pulled = await super.pull(...parameters);
        return pulled && { ...pulled, latestSequence: last };
      }
      async retention() {
        return { firstSequence: 1, latestSequence };
      }
    }
    sink.failClaims = 1;
    sink.script = [() => ({ kind: 'retryable', error: new Error('busy') })];
    const lines: string[] = [];
    const warnings: unknown[] = [];
    const pipeline = pipelineOf(new Growing(sample.batches), sink, {
      timing,
      log: {
        ...pluginContext('p').log,
        info: (text) => void lines.push(text),
        warn: (text, fields) => void warnings.push([text, fields]),
      },
    });
    const running = pipeline.run(never);
    const status = () => pipeline.status().sinks[0];
    await waitUntil('the claim has failed', () => slept.length > 0);
    expect(status()).toMatchObject({ state: 'starting', position: null, lag: null, lagMs: null });
    expect(status().trouble).toEqual({ reason: 'down', forMs: 0 });
    expect(pipeline.status().latestSequence).toBeNull();
    await goOn('the claim');
    await waitUntil('the write has failed', () => slept.length > 0);
    expect(status()).toMatchObject({ state: 'retrying', lag: last, trouble: { reason: 'busy', forMs: 0 } });
    latestSequence = last + 500;
    nowMs += 5_000;
    await waitUntil('the source was asked', () => status().lag === last + 500);
    expect(status()).toMatchObject({ lagMs: 5_000, trouble: { reason: 'busy', forMs: 5_000 } });
    await goOn('the write');
    await running;
    expect(status()).toMatchObject({ state: 'stopped', trouble: null, lag: 500 });
    expect(lines.filter((line) => line === 'the sink is back')).toHaveLength(2);
    const whose = { pipeline: pipeline.status().name, sink: status().name };
    expect(warnings).toEqual([
      ['the sink cannot be reached, trying again', { ...whose, reason: 'down' }],
      ['a write failed, trying again', { ...whose, reason: 'busy' }],
    ]);
  });

  it('delivers again what a sink lost', async () => {
    const sample = history(60);
    const sink = new ScriptedSink();
    sink.script = [
      (_, apply) => {
        apply();
        return { kind: 'durable' };
      },
      () => {
        sink.position = sample.positionAfter(3);
        sink.keys = sink.keys.slice(0, keysOf(sample).length - keysOf(sample, 3).length);
        return { kind: 'unknown', error: new Error('failed over to a replica that lacks the newest writes') };
      },
    ];
    await pipelineOf(new ListSource(sample.batches), sink, { pullBatches: 5 }).run(never);
    expect(sink.keys).toEqual(keysOf(sample));
  });

  it('moves the durable position only with what is durable, and delivers again what was accepted and lost', async () => {
    const sample = history(60);
    const sink = new ScriptedSink();
    const source = new ListSource(sample.batches);
    const whole = keysOf(sample).length;
    let isLost = false;
    // Accepted, and lost when the target dies before it has synced.
    sink.script = Array.from({ length: 5 }, (_, write) => (batch: SinkBatch, apply: () => void) => {
      if (isLost && !isSamePosition(batch.previous, sink.position))
        return { kind: 'unknown' as const, error: new Error('something else is there') };
      apply();
      const durable =
        write < 2
          ? Promise.resolve()
          : nextTurn().then(() => {
              if (!isLost) {
                isLost = true;
                sink.position = sample.positionAfter(3);
                sink.keys = sink.keys.slice(0, whole - keysOf(sample, 3).length);
              }
              throw new Error('the target died');
            });
      return { kind: 'accepted' as const, durable };
    });
    await pipelineOf(source, sink, { batch: { maxChanges: 1 }, pullBatches: 3 }).run(never);
    expect(isLost).toBe(true);
    expect(sink.keys).toEqual(keysOf(sample));
    expect(source.acknowledged).toEqual(sample.positionAfter(60));
  });

  it('stops when it is fenced, or when the sink says that an operator must act', async () => {
    for (const [kind, code] of [
      ['fenced', 'SINK_FENCED'],
      ['fatal', 'SINK_FAILED'],
    ] as const) {
      const sink = new ScriptedSink();
      sink.script = [() => ({ kind, error: new Error('no') })];
      await expect(pipelineOf(new ListSource(history(5).batches), sink).run(never)).rejects.toMatchObject({
        code,
      });
    }
    const taken = new ScriptedSink();
    taken.script = [
      () => {
        taken.position = { sequence: 999, count: 1, crc: 1 };
        return { kind: 'unknown', error: new Error('cut') };
      },
    ];
    await expect(pipelineOf(new ListSource(history(5).batches), taken).run(never)).rejects.toMatchObject({
      code: 'SINK_FENCED',
    });
  });

  it('does not try again what is refused: wrong credentials, missing rights', async () => {
    let claims = 0;
    const refused = Object.assign(new ScriptedSink(), {
      claim: async () => {
        claims++;
        throw new TailraceError('SINK_REFUSED', 'wrong password');
      },
    });
    await expect(pipelineOf(new ListSource(history(1).batches), refused).run(never)).rejects.toMatchObject({
      code: 'SINK_REFUSED',
    });
    expect(claims).toBe(1);
  });

  it('fails at a change that the sink refuses, or skips it, or keeps it as a dead letter', async () => {
    const sample = history(3);
    const refuseFirst = (): ScriptedSink => {
      const sink = new ScriptedSink();
      sink.script = [
        () => ({ kind: 'poison', rejections: [{ transaction: 1, change: 0, reason: 'too large' }] }),
      ];
      return sink;
    };
    await expect(pipelineOf(new ListSource(sample.batches), refuseFirst()).run(never)).rejects.toMatchObject({
      code: 'SINK_POISON',
      message: expect.stringContaining('too large'),
    });
    const expected = keysOf(sample);
    expected.splice(1, 1);
    const skipping = refuseFirst();
    await pipelineOf(new ListSource(sample.batches), skipping, { errors: { poison: 'skip' } }).run(never);
    expect(skipping.keys).toEqual(expected);
    const path = join(directory.path, 'dead.ndjson');
    const keeping = refuseFirst();
    await using deadLetters = new FileDeadLetters(path, pluginContext('p').log);
    const pipeline = pipelineOf(new ListSource(sample.batches), keeping, {
      errors: { poison: 'dead-letter' },
      deadLetters,
    });
    await pipeline.run(never);
    expect(keeping.keys).toEqual(expected);
    const letter = JSON.parse(readFileSync(path, 'utf8')) as { reason: string; batch: string; sink: string };
    expect(letter).toMatchObject({ reason: 'too large', sink: 'sink', sequence: 2 });
    expect(Buffer.from(letter.batch, 'base64')).toEqual(sample.batches[1]?.bytes);
    expect(pipeline.status().sinks[0]?.rejectedChanges).toBe(1);
  });

  it('ends in time although a sink neither answers nor listens: in a claim, in a write, in what it accepted', async () => {
    const silent = new Promise<never>(() => undefined);
    const claiming = Object.assign(new ScriptedSink(), { claim: () => silent });
    const writing = new ScriptedSink();
    writing.script = [() => silent];
    const accepting = new ScriptedSink();
    accepting.script = [
      (_, apply) => {
        apply();
        return { kind: 'accepted', durable: silent };
      },
    ];
    for (const sink of [claiming, writing, accepting]) {
      const stop = new AbortController();
      const pipeline = pipelineOf(new ListSource(history(3).batches), sink, { drainTimeoutMs: 30 });
      const running = pipeline.run(stop.signal);
      await waitUntil('it waits', () => sink === claiming || sink.writes > 0);
      stop.abort();
      await expect(running).rejects.toThrow(/could not deliver what was in flight within 30 ms/);
    }
  });

  it('is stopped soon, with nothing to report, while a sink that has nothing in flight says nothing', async () => {
    const sample = history(3);
    const silent = new Promise<never>(() => undefined);
    const atStart = Object.assign(new ScriptedSink(), { claim: () => silent });
    const afterLoss = new ScriptedSink();
    const claim = afterLoss.claim.bind(afterLoss);
    afterLoss.claim = () => (afterLoss.claims < 2 ? claim() : silent);
    afterLoss.script = [
      () => {
        afterLoss.position = null;
        return { kind: 'accepted', durable: Promise.reject(new Error('lost')) };
      },
    ];
    for (const sink of [atStart, afterLoss]) {
      const stop = new AbortController();
      const source = new ListSource(sample.batches);
      const pipeline = pipelineOf(source, sink, { drainTimeoutMs: 60_000 });
      const running = pipeline.run(stop.signal);
      await waitUntil('it waits', () => sink === atStart || sink.claims === 2);
      stop.abort();
      await running;
      expect(pipeline.status().state).toBe('stopped');
    }
  });

  it.each(['open', 'newestPosition', 'pull', 'acknowledge', 'nothing else'] as const)(
    'ends in time although the source neither answers nor listens: in %s, nor when it is closed',
    async (method) => {
      for (const sinks of [1, 2]) {
        let isWaiting = false;
        const silence = (): Promise<never> => {
          isWaiting = true;
          return new Promise(() => undefined);
        };
        const source = (): Source =>
          Object.assign(new ListSource(history(3).batches), {
            [method]: silence,
            [Symbol.asyncDispose]: silence,
          });
        const stop = new AbortController();
        const pipeline = pipelineOf(source, new ScriptedSink(), {
          drainTimeoutMs: 30,
          startAt: method === 'newestPosition' ? 'latest' : 'beginning',
          sinks: Array.from({ length: sinks }, (_, at) => ({ name: `sink ${at}`, sink: new ScriptedSink() })),
        });
        const running = pipeline.run(stop.signal);
        await waitUntil('it waits', () => isWaiting);
        stop.abort();
        await expect(running).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
        expect(pipeline.status().state).toBe('failed');
      }
    },
  );

  it('ends in time although dead letters of what cannot be decoded do not get anywhere, or a transform does not end', async () => {
    const silent = new ScriptedSink();
    silent.script = [() => new Promise<never>(() => undefined)];
    const decoder = new Decoder();
    const makeDecoder = () => ({
      decode: (bytes: Buffer) => {
        const code = 'DECODE_UNSUPPORTED' as const;
        const undecodable = [{ seq: 1, ns: undefined, key: undefined, code, reason: 'no counterpart' }];
        return { ...decoder.decode(bytes), undecodable };
      },
    });
    const deadLetters = new SinkDeadLetters(silent, 'letters');
    let transformed = 0;
    const transform = (): Promise<never> => {
      transformed++;
      return new Promise(() => undefined);
    };
    const errors = { undecodable: 'dead-letter' } as const;
    for (const [options, waits] of [
      [{ makeDecoder, deadLetters, errors }, () => silent.writes > 0],
      [{ sinks: [{ name: 'sink', sink: new ScriptedSink(), transform }] }, () => transformed > 0],
    ] as const) {
      const stop = new AbortController();
      const pipeline = pipelineOf(new ListSource(history(3).batches), new ScriptedSink(), {
        drainTimeoutMs: 30,
        ...options,
      });
      const running = pipeline.run(stop.signal);
      await waitUntil('it waits', waits);
      stop.abort();
      await expect(running).rejects.toThrow(/could not deliver what was in flight within 30 ms/);
    }
    await deadLetters[Symbol.asyncDispose](); // nor does that wait for them
  });

  it('leaves no connection to a store behind that answers only when the pipeline has ended', async () => {
    let isSilent = true;
    await using server = await ScriptedServer.open(() => (isSilent ? undefined : ':1\r\n'));
    const deadLetters = new RedisDeadLetters(server.url, 'letters');
    const refusing = new ScriptedSink();
    refusing.script = [() => ({ kind: 'poison', rejections: [{ transaction: 0, change: 0, reason: 'no' }] })];
    const stop = new AbortController();
    const running = pipelineOf(new ListSource(history(3).batches), refusing, {
      ...{ drainTimeoutMs: 30, errors: { poison: 'dead-letter' }, deadLetters },
    }).run(stop.signal);
    await waitUntil('it waits', () => server.commands.length > 0);
    stop.abort();
    await expect(running).rejects.toThrow(/could not deliver/);
    isSilent = false;
    await deadLetters[Symbol.asyncDispose]();
    await delay(50);
    expect(server.commands.length).toBe(1);
  });

  it('ends in time although the store of the positions, or of the dead letters, says nothing', async () => {
    const answers: Record<string, string> = { HGET: '$-1\r\n' };
    await using silent = await ScriptedServer.open(([name]) => answers[name]);
    const refusing = new ScriptedSink();
    refusing.script = [() => ({ kind: 'poison', rejections: [{ transaction: 0, change: 0, reason: 'no' }] })];
    const forgetful = Object.assign(new ScriptedSink(), { holdsPosition: false });
    await using offsets = new RedisOffsetsStore({ url: silent.url, name: 'offsets', leaseMs: 1_000 });
    await using deadLetters = new RedisDeadLetters(silent.url, 'letters');
    for (const [sink, waitedFor] of [
      [refusing, 'XADD'],
      [forgetful, 'HSET'],
    ] as const) {
      const stop = new AbortController();
      const pipeline = pipelineOf(new ListSource(history(3).batches), sink, {
        drainTimeoutMs: 30,
        errors: { poison: 'dead-letter', undecodable: 'fail' },
        deadLetters,
        offsets,
      });
      const running = pipeline.run(stop.signal);
      await waitUntil('it waits', () => silent.commands.some(([name]) => name === waitedFor));
      stop.abort();
      await expect(running).rejects.toThrow(/could not deliver what was in flight within 30 ms/);
    }
  });
});
