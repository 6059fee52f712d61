import { describe, expect, it } from 'vitest';
import { TailraceError } from '../../src/errors/index.js';
import { SampleHistory } from '../../src/kit/conformance/index.js';
import type { SourceBatch } from '../../src/kit/index.js';
import {
  compileFilter,
  filterTransaction,
  Pipeline,
  type PipelineOptions,
} from '../../src/pipeline/index.js';
import { ListSource } from '../support/list-source.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { waitUntil } from '../support/wait-until.js';

const never = new AbortController().signal;

/** Long enough that no window and no credit holds it. */
const longHistory = (): SampleHistory => {
  const sample = new SampleHistory();
  for (let i = 0; i < 3_000; i++)
    sample.append([{ key: Buffer.from(`key:${i}`), value: Buffer.alloc(200, 'x') }]);
  return sample;
};
const sample = longHistory();
const allKeys = Array.from({ length: 3_000 }, (_, i) => `key:${i}`);

const pipelineTo = (
  sinks: Readonly<Record<string, ScriptedSink>>,
  options: Partial<PipelineOptions> = {},
  batches: readonly SourceBatch[] = sample.batches,
): Pipeline =>
  new Pipeline({
    name: 'p',
    source: () => new ListSource(batches),
    sinks: Object.entries(sinks).map(([name, sink]) => ({ name, sink })),
    creditBytes: 64 * 1024,
    sharedBytes: 64 * 1024,
    pullBatches: 20,
    retry: { initialMs: 1, maxMs: 5 },
    log: pluginContext('p').log,
    ...options,
  });

/** Holds back every write until it is let go. */
const stalled = (): { sink: ScriptedSink; letGo: () => void } => {
  let letGo: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const sink = new ScriptedSink();
  sink.script = [
    async (_, apply) => {
      await gone;
      apply();
      return { kind: 'durable' };
    },
  ];
  return { sink, letGo };
};

describe('several sinks', () => {
  it('deliver everything while one of them hangs, which gets what it lacks later', async () => {
    const { sink: hanging, letGo } = stalled();
    const [a, b] = [new ScriptedSink(), new ScriptedSink()];
    const pipeline = pipelineTo({ a, hanging, b });
    const running = pipeline.run(never);
    await waitUntil('the others have everything', () => a.keys.length === 3_000 && b.keys.length === 3_000);
    expect(hanging.keys).toEqual([]);
    const status = pipeline.status();
    expect(status.creditBytesInUse).toBeLessThan(3 * 96 * 1024);
    expect(status.sinks[1]?.oldestWaiting?.sequence).toBe(1);
    letGo();
    await running;
    for (const { keys } of [a, b, hanging]) expect(keys).toEqual(allKeys);
  });

  it('may be many: each listens to a signal of its own, so that Node.js sees no leak', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const many = Array.from({ length: 12 }, () => stalled());
    const running = pipelineTo(Object.fromEntries(many.map(({ sink }, at) => [`sink-${at}`, sink]))).run(
      never,
    );
    await waitUntil('all are written to', () => many.every(({ sink }) => sink.writes > 0));
    for (const { letGo } of many) letGo();
    await running;
    process.off('warning', note);
    for (const { sink } of many) expect(sink.keys).toEqual(allKeys);
    expect(warnings).toEqual([]);
  });

  it('start while one of them cannot be reached', async () => {
    const [up, down] = [new ScriptedSink(), new ScriptedSink()];
    down.failClaims = Number.POSITIVE_INFINITY;
    const pipeline = pipelineTo({ down, up });
    const running = pipeline.run(never);
    await waitUntil('the other has everything', () => up.keys.length === 3_000);
    expect(pipeline.status().sinks[0]?.errors.unreachable).toBeGreaterThan(0);
    down.failClaims = 0;
    await running;
    expect(down.keys).toEqual(allKeys);
  });

  it('go on when one fails for good, and the failure is told in the end', async () => {
    const [good, bad] = [new ScriptedSink(), new ScriptedSink()];
    bad.script = [() => ({ kind: 'fatal', error: new TailraceError('SINK_REFUSED', 'no permission') })];
    const pipeline = pipelineTo({ good, bad });
    await expect(pipeline.run(never)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
    expect(good.keys).toEqual(allKeys);
    expect(pipeline.status().sinks).toMatchObject([
      { name: 'good', state: 'stopped', error: null },
      { name: 'bad', state: 'failed', error: 'no permission', errors: { fatal: 1 } },
    ]);
  });

  it('tell all that failed when several did, each by its name', async () => {
    const refusing = (message: string): ScriptedSink => {
      const sink = new ScriptedSink();
      const remedy = `Mend ${message}.`;
      sink.script = [
        () => ({ kind: 'fatal', error: new TailraceError('SINK_REFUSED', message, { remedy }) }),
      ];
      return sink;
    };
    const lost = new ScriptedSink();
    lost.script = [() => ({ kind: 'fatal', error: new Error('it is gone') })];
    const [good, silent] = [new ScriptedSink(), stalled().sink];
    const sinks = { good, one: refusing('no permission'), lost, two: refusing('no space') };
    await expect(pipelineTo(sinks).run(never)).rejects.toMatchObject({
      code: 'SINK_REFUSED',
      message:
        '3 sinks of pipeline p failed: sink one: no permission; sink lost failed: it is gone; sink two: no space',
      remedy: expect.stringMatching(/^Mend no permission\. .* Mend no space\.$/),
      context: { pipeline: 'p', sinks: 'one, lost, two' },
    });
    expect(good.keys).toEqual(allKeys);
    const stop = new AbortController();
    const again = { silent, one: refusing('no permission') };
    const stopping = pipelineTo(again, { drainTimeoutMs: 30 }).run(stop.signal);
    await waitUntil('both have been written to', () => silent.writes > 0 && again.one.writes > 0);
    stop.abort();
    await expect(stopping).rejects.toThrow(
      /sink one: no permission; sink silent: .* could not deliver what was in flight/,
    );
  });

  it('all stop when one fails and the configuration says so, and when one is fenced', async () => {
    for (const [kind, policy] of [
      ['fatal', 'stop'],
      ['fenced', 'isolate'],
    ] as const) {
      const { sink: other, letGo } = stalled();
      const bad = new ScriptedSink();
      bad.script = [() => ({ kind, error: new Error('no') })];
      const running = pipelineTo({ other, bad }, { errors: { sink: policy } }).run(never);
      await waitUntil('it has failed', () => bad.script.length === 0);
      letGo();
      await expect(running).rejects.toMatchObject({ code: kind === 'fatal' ? 'SINK_FAILED' : 'SINK_FENCED' });
      expect(other.keys.length).toBeLessThan(3_000);
    }
  });

  it('do not wait longer than a stop would for one that hangs, when another ends them all', async () => {
    const claiming = Object.assign(new ScriptedSink(), { claim: () => new Promise<never>(() => undefined) });
    const writing = stalled().sink;
    for (const hanging of [claiming, writing]) {
      const bad = new ScriptedSink();
      bad.script = [() => ({ kind: 'fatal', error: new Error('no') })];
      const options = { errors: { sink: 'stop' }, drainTimeoutMs: 30 } as const;
      await expect(pipelineTo({ hanging, bad }, options).run(never)).rejects.toThrow(/bad.*no/);
    }
  });

  it('each see what their own transform leaves, and all positions move', async () => {
    const [some, none] = [new ScriptedSink(), new ScriptedSink()];
    const only = (pattern: string) => {
      const passes = compileFilter({ keys: [pattern] });
      return (transaction: Parameters<typeof filterTransaction>[0]) => filterTransaction(transaction, passes);
    };
    const pipeline = pipelineTo(
      {},
      {
        sinks: [
          { name: 'some', sink: some, transform: only('key:*7') },
          { name: 'none', sink: none, transform: only('nothing') },
        ],
        heartbeatMs: 60_000,
      },
    );
    await pipeline.run(never);
    expect(some.keys).toEqual(allKeys.filter((key) => key.endsWith('7')));
    expect(none.keys).toEqual([]);
    for (const { position } of [some, none]) expect(position).toEqual(sample.positionAfter(3_000));
    expect(none.writes).toBeLessThanOrEqual(2);
  });

  it.each([
    ['for the slowest of them', undefined],
    ['for none that lags further than it may', 500],
  ])('hold the log of the source %s', async (_, maxLag) => {
    const { sink: hanging, letGo } = stalled();
    hanging.position = sample.positionAfter(10);
    const good = new ScriptedSink();
    let acknowledged = 0;
    class Acknowledging extends ListSource {
      override async acknowledge(position: { sequence: number }): Promise<void> {
        acknowledged = position.sequence;
      }
    }
    let clock = 0;
    const running = pipelineTo(
      {},
      {
        source: () => new Acknowledging(sample.batches),
        timing: { now: () => (clock += 500), random: () => 0, sleep: async () => undefined },
        sinks: [
          { name: 'good', sink: good },
          { name: 'hanging', sink: hanging, ...(maxLag === undefined ? {} : { maxLag }) },
        ],
      },
    ).run(never);
    await waitUntil('the good one has everything', () => good.keys.length === 3_000);
    if (maxLag === undefined) expect(acknowledged).toBe(10);
    else expect(acknowledged).toBeGreaterThan(maxLag);
    letGo();
    await running;
    expect(hanging.keys).toEqual(allKeys.slice(10));
  });
});

describe('a running pipeline', () => {
  it('pauses with everything in flight delivered, goes on, and stops', async () => {
    const sinks = { a: new ScriptedSink(), b: new ScriptedSink() };
    let isHeld = true;
    class Endless extends ListSource {
      override async pull(...parameters: Parameters<ListSource['pull']>) {
        const pulled = await super.pull(...parameters);
        return pulled === null && isHeld ? { batches: [], latestSequence: 3_000 } : pulled;
      }
    }
    const pipeline = pipelineTo(sinks, { source: () => new Endless(sample.batches) });
    const seen: string[] = [];
    pipeline.states.subscribe((state) => seen.push(state));
    const running = pipeline.run(never);
    await waitUntil('something is delivered', () => sinks.a.keys.length > 0);
    pipeline.pause();
    await waitUntil('it is paused', () => pipeline.status().state === 'paused');
    const claims = sinks.a.claims;
    expect(pipeline.status().creditBytesInUse).toBe(0);
    expect(sinks.a.keys.length).toBeLessThan(3_000);
    pipeline.resume();
    await waitUntil(
      'everything is delivered',
      () => sinks.a.keys.length === 3_000 && sinks.b.keys.length === 3_000,
    );
    expect(sinks.a.claims).toBe(claims + 1);
    pipeline.stop();
    await running;
    isHeld = false;
    expect(sinks.b.keys).toEqual(allKeys);
    expect(seen).toEqual(['starting', 'running', 'draining', 'paused', 'running', 'draining', 'stopped']);
  });

  it('tries a failed sink again when it is told to resume', async () => {
    const sinks = { good: new ScriptedSink(), bad: new ScriptedSink() };
    sinks.bad.script = [() => ({ kind: 'fatal', error: new Error('disk full') })];
    const { sink: hanging, letGo } = stalled();
    const pipeline = pipelineTo({ ...sinks, hanging });
    const running = pipeline.run(never);
    await waitUntil('it has failed', () => pipeline.status().sinks[1]?.state === 'failed');
    pipeline.resume();
    letGo();
    await running;
    for (const { keys } of [sinks.good, sinks.bad, hanging]) expect(keys).toEqual(allKeys);
  });
});
