import { afterEach, describe, expect, it } from 'vitest';
import { isTailraceError } from '../../errors/index.js';
import { isSamePosition } from '../history.js';
import type { Claim, Sink } from '../sink.js';
import { SampleHistory } from './sample-history.js';

/** What the suite needs to know of a sink. */
export interface SinkHarness {
  /** A new sink on the present target, for the pipeline `conformance`. */
  open(): Promise<Sink> | Sink;
  /** The strings that the target holds, key in hexadecimal → value in hexadecimal; without the sink's own keys. */
  contents(): Promise<Map<string, string>>;
  /**
   * How an older claimant is kept out: `epoch`, its writes are refused after the next claim; `lock`, the next claim is
   * refused while it lives.
   */
  readonly fencing: 'epoch' | 'lock';
  /** Empties the target; runs after each test, when every sink is disposed. */
  clean(): Promise<void>;
}

/**
 * The proof that a sink keeps its promises, to be called in a vitest file. Sinks that hold a position are held to
 * exactly once, the others to taking what they are given, in order.
 *
 * @example
 * sinkConformance('my sink', { open: () => new MySink(options, context), contents, fencing: 'epoch', clean });
 */
export const sinkConformance = (name: string, harness: SinkHarness): void => {
  describe(`${name}: sink conformance`, () => {
    const opened: Sink[] = [];
    const open = async (): Promise<Sink> => {
      const sink = await harness.open();
      opened.push(sink);
      return sink;
    };
    const claimed = async (): Promise<{ sink: Sink; claim: Claim }> => {
      const sink = await open();
      return { sink, claim: await sink.claim(signal) };
    };
    const { signal } = new AbortController();
    afterEach(async () => {
      for (const sink of opened.splice(0)) await sink[Symbol.asyncDispose]();
      await harness.clean();
    });

    it('takes transactions in order and ends with what they end with', async () => {
      const history = new SampleHistory();
      history.appendMany(60);
      const { sink, claim } = await claimed();
      expect(claim.position).toBeNull();
      for (const [from, to] of [
        [0, 1],
        [1, 25],
        [25, 59],
        [59, 60],
      ] as const)
        await expectDurable(sink, history, from, to, claim);
      expect(await harness.contents()).toEqual(history.stateAfter(60));
    });

    it('keeps binary keys and values, empty ones and large ones', async () => {
      const history = new SampleHistory();
      const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      history.append([
        { key: all, value: all },
        { key: Buffer.from('empty'), value: Buffer.alloc(0) },
        { key: Buffer.from('line\r\nbreak'), value: Buffer.from('"quoted"\n\\') },
        { key: Buffer.from('large'), value: Buffer.alloc(1024 * 1024, 0xfe) },
        { key: Buffer.from('schlüssel ☃'), value: Buffer.from('wért') },
      ]);
      const { sink, claim } = await claimed();
      await expectDurable(sink, history, 0, 1, claim);
      expect(await harness.contents()).toEqual(history.stateAfter(1));
    });

    it('takes a batch without any change, and a write of none but such', async () => {
      const history = new SampleHistory();
      history.appendMany(2);
      history.appendEmpty();
      history.appendMany(1, 'more');
      const { sink, claim } = await claimed();
      await expectDurable(sink, history, 0, 2, claim);
      await expectDurable(sink, history, 2, 3, claim);
      await expectDurable(sink, history, 3, 4, claim);
      expect(await harness.contents()).toEqual(history.stateAfter(4));
    });

    it('can be disposed twice, and while a write is under way', async () => {
      const history = new SampleHistory();
      history.appendMany(40);
      const { sink, claim } = await claimed();
      await expectDurable(sink, history, 0, 20, claim);
      const writing = sink.write(history.sinkBatch(20, 40), claim, signal);
      await sink[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
      const outcome = await writing;
      if (!sink.holdsPosition) return;
      const again = await claimed();
      const isApplied = isSamePosition(again.claim.position, history.positionAfter(40));
      if (!isApplied) expect(again.claim.position).toEqual(history.positionAfter(20));
      if (outcome.kind === 'durable') expect(isApplied).toBe(true);
      expect(await harness.contents()).toEqual(history.stateAfter(isApplied ? 40 : 20));
    });

    it('gives the position back to whoever claims next, with a larger epoch', async () => {
      const history = new SampleHistory();
      history.appendMany(12);
      const first = await claimed();
      await expectDurable(first.sink, history, 0, 7, first.claim);
      if (!first.sink.holdsPosition) {
        expect(first.claim.position).toBeNull();
        return;
      }
      await first.sink[Symbol.asyncDispose]();
      const second = await claimed();
      expect(second.claim.position).toEqual(history.positionAfter(7));
      expect(second.claim.epoch).toBeGreaterThan(first.claim.epoch);
      await expectDurable(second.sink, history, 7, 12, second.claim);
      expect(await harness.contents()).toEqual(history.stateAfter(12));
    });

    it('refuses a write that does not continue what it holds, and applies nothing of it', async () => {
      const history = new SampleHistory();
      history.appendMany(12);
      const { sink, claim } = await claimed();
      await expectDurable(sink, history, 0, 5, claim);
      if (!sink.holdsPosition) return;
      const outcome = await sink.write(history.sinkBatch(6, 12), claim, signal);
      expect(['fenced', 'unknown']).toContain(outcome.kind);
      expect(await harness.contents()).toEqual(history.stateAfter(5));
    });

    it('keeps out a claimant that was overtaken', async () => {
      const history = new SampleHistory();
      history.appendMany(12);
      const old = await claimed();
      if (!old.sink.holdsPosition) return;
      await expectDurable(old.sink, history, 0, 4, old.claim);
      const successor = await open();
      if (harness.fencing === 'lock') {
        const error: unknown = await successor.claim(signal).catch((caught: unknown) => caught);
        expect(isTailraceError(error, 'SINK_FENCED')).toBe(true);
        await expectDurable(old.sink, history, 4, 8, old.claim);
        return;
      }
      const claim = await successor.claim(signal);
      await expectDurable(successor, history, 4, 8, claim);
      expect((await old.sink.write(history.sinkBatch(4, 12), old.claim, signal)).kind).toBe('fenced');
      await expectDurable(successor, history, 8, 10, claim);
      expect(await harness.contents()).toEqual(history.stateAfter(10));
    });

    const expectDurable = async (
      sink: Sink,
      history: SampleHistory,
      from: number,
      to: number,
      claim: Claim,
    ): Promise<void> => {
      const outcome = await sink.write(history.sinkBatch(from, to), claim, signal);
      expect(outcome).toMatchObject({ kind: expect.stringMatching(/^(durable|accepted)$/) });
      if (outcome.kind === 'accepted') await outcome.durable;
    };
  });
};
