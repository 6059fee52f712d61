import { beforeEach, describe, expect, it } from 'vitest';
import type { Position } from '../../src/kit/index.js';
import type { ChunkGroup } from '../../src/pipeline/chunk.js';
import type { OffsetsStore } from '../../src/pipeline/index.js';
import { SinkLane } from '../../src/pipeline/sink-lane.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';
import { history, instantTiming, keysOf, never } from './pipeline-setup.js';

const sample = history(12);
/** The batches from `from` up to, not including, `to`; `isForOthers` = nothing of them is for this sink. */
const group = (from: number, to: number, isForOthers = false): ChunkGroup => {
  const { transactions, position, byteLength } = sample.sinkBatch(from, to);
  const seen = isForOthers ? transactions.map((each) => ({ ...each, changes: [] })) : transactions;
  return { chunks: [], transactions: seen, position, byteLength };
};

let sink: ScriptedSink;
let nowMs: number;
beforeEach(() => {
  sink = new ScriptedSink();
  nowMs = 1_000_000;
});

const laneTo = (to: ScriptedSink, offsets?: OffsetsStore): SinkLane =>
  new SinkLane(to, {
    pipeline: 'p',
    name: 'sink',
    retry: { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 },
    poison: 'fail',
    heartbeatMs: 1_000,
    timing: { ...instantTiming(), now: () => nowMs },
    log: pluginContext('p').log,
    ...(offsets && { offsets }),
  });

/** A write that is applied at once, and about which the test says later whether it is safe. */
const accepted = (): { safe(): Promise<void>; lost(): Promise<void> } => {
  let tell: { resolve(): void; reject(error: Error): void } | undefined;
  const durable = new Promise<void>((resolve, reject) => {
    tell = { resolve, reject };
  });
  durable.catch(() => undefined);
  sink.script.push((_, apply) => {
    apply();
    return { kind: 'accepted', durable };
  });
  const heard = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    safe: () => {
      tell?.resolve();
      return heard();
    },
    lost: () => {
      tell?.reject(new Error('the connection is gone'));
      return heard();
    },
  };
};

/** Holds no position itself. */
class ForgetfulSink extends ScriptedSink {
  override readonly holdsPosition = false;
}

/** Of one sink, in memory. */
const offsetsInMemory = (): OffsetsStore & { stored: Position | null } => ({
  stored: null,
  async load() {
    return this.stored;
  },
  async save(_pipeline, _sink, position) {
    this.stored = position;
  },
  list: async () => [],
  reset: async () => false,
  own: async () => ({ lost: never, release: async () => undefined }),
  [Symbol.asyncDispose]: async () => undefined,
});

describe('the lane to a sink', () => {
  it('leaves out what the sink holds: groups as a whole, and the first of their transactions', async () => {
    sink.position = sample.positionAfter(5);
    const lane = laneTo(sink);
    await lane.claim(never, never);
    await lane.deliver(group(0, 3), never);
    await lane.deliver(group(3, 5), never);
    expect(sink.writes).toBe(0);
    await lane.deliver(group(3, 8), never);
    expect(sink.writes).toBe(1);
    const all = keysOf(sample);
    const [before, behind] = [keysOf(sample, 5).length, keysOf(sample, 8).length];
    expect(sink.keys).toEqual(all.slice(all.length - before, all.length - behind));
    expect(lane.position).toEqual(sample.positionAfter(8));
  });

  it.each([
    ['at its end', 3, 5],
    ['inside it', 3, 8],
  ])('refuses a group that has another batch where the sink stands: %s', async (_where, from, to) => {
    const held = sample.positionAfter(5) as Position;
    sink.position = { ...held, crc: held.crc ^ 1 };
    const lane = laneTo(sink);
    await lane.claim(never, never);
    await expect(lane.deliver(group(from, to), never)).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
    expect(sink.writes).toBe(0);
  });

  it('calls nothing behind an accepted write that was lost durable, and asks the sink before the next', async () => {
    const lane = laneTo(sink);
    await lane.claim(never, never);
    const [first, second] = [accepted(), accepted()];
    await lane.deliver(group(0, 2), never);
    await lane.deliver(group(2, 4), never);
    await first.lost();
    await second.safe();
    expect(lane.durablePosition).toBeNull();
    sink.position = null;
    await expect(lane.deliver(group(4, 6), never)).rejects.toThrow(/lost its newest data/);
    expect(sink.claims).toBe(2);
  });

  it('no longer hears of what was accepted under an earlier claim', async () => {
    const lane = laneTo(sink);
    await lane.claim(never, never);
    const before = accepted();
    await lane.deliver(group(0, 2), never);
    sink.script.push((_, apply) => {
      apply();
      return { kind: 'unknown', error: new Error('cut after it was applied') };
    });
    await lane.deliver(group(2, 4), never); // claims again, and finds both there
    await before.lost();
    await lane.deliver(group(4, 6), never);
    expect(sink.claims).toBe(2);
    expect(lane.durablePosition).toEqual(sample.positionAfter(6));
  });

  it('is settled only when the sink still has what it accepted last', async () => {
    const lane = laneTo(sink);
    await lane.claim(never, never);
    const last = accepted();
    await lane.deliver(group(0, 2), never);
    let isSettled = false;
    const settled = lane.settle(never).then(() => {
      isSettled = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isSettled).toBe(false);
    sink.position = null;
    const rewound = expect(settled).rejects.toThrow(/lost its newest data/);
    await last.lost();
    await rewound;
  });

  it('keeps the position of a sink that cannot when what was accepted is safe, and in the end whatever the time', async () => {
    sink = new ForgetfulSink();
    const offsets = offsetsInMemory();
    const lane = laneTo(sink, offsets);
    await lane.claim(never, never);
    const first = accepted();
    const delivered = lane.deliver(group(0, 2), never);
    await new Promise((resolve) => setImmediate(resolve));
    expect(offsets.stored).toBeNull();
    await first.safe();
    await delivered;
    expect(offsets.stored).toEqual(sample.positionAfter(2));
    await lane.deliver(group(2, 4), never);
    expect(offsets.stored).toEqual(sample.positionAfter(2)); // too soon after the one before
    await lane.settle(never);
    expect(offsets.stored).toEqual(sample.positionAfter(4));
    nowMs += 60_000;
    const lost = accepted();
    const rewound = expect(lane.deliver(group(4, 6), never)).rejects.toThrow(/lost what it had accepted/);
    await new Promise((resolve) => setImmediate(resolve));
    await lost.lost();
    await rewound;
    expect(offsets.stored).toEqual(sample.positionAfter(4));
  });

  it('keeps where a sink that cannot begins, before anything is delivered', async () => {
    const offsets = offsetsInMemory();
    const lane = laneTo(new ForgetfulSink(), offsets);
    await lane.claim(never, never);
    nowMs = 0; // a clock by which no time has passed since the last save
    await lane.begin(sample.positionAfter(7) as Position, never);
    expect(offsets.stored).toEqual(sample.positionAfter(7));
  });

  it('passes over what is for others, tells the sink now and then, and forgets that when it is claimed again', async () => {
    const lane = laneTo(sink);
    await lane.claim(never, never);
    await lane.deliver(group(0, 2), never);
    await lane.deliver(group(2, 4, true), never);
    expect([lane.reached, lane.position]).toEqual([sample.positionAfter(4), sample.positionAfter(2)]);
    await lane.claim(never, never);
    expect(lane.reached).toEqual(sample.positionAfter(2));
    await lane.deliver(group(2, 4, true), never);
    await lane.deliver(group(4, 5), never);
    expect(lane.reached).toEqual(sample.positionAfter(5));
    await lane.deliver(group(5, 6, true), never);
    nowMs += 1_000;
    const { writes } = sink;
    await lane.deliver(group(6, 7, true), never);
    expect(sink.writes).toBe(writes + 1);
    expect(sink.position).toEqual(sample.positionAfter(7));
    await lane.deliver(group(7, 8, true), never);
    await lane.settle(never);
    expect(sink.position).toEqual(sample.positionAfter(8));
  });

  it('gives up to another process when the sink turns out to hold what it has not written', async () => {
    const lane = laneTo(sink);
    await lane.claim(never, never);
    sink.script.push(() => {
      sink.position = sample.positionAfter(9);
      return { kind: 'unknown', error: new Error('cut') };
    });
    await expect(lane.deliver(group(0, 2), never)).rejects.toMatchObject({ code: 'SINK_FENCED' });
    expect(sink.writes).toBe(1);
  });
});
