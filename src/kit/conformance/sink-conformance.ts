import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isTailraceError } from '../../errors/index.js';
import { isSamePosition } from '../history.js';
import type { Claim, Sink, WriteOutcome } from '../sink.js';
import { type SampleEntry, SampleHistory } from './sample-history.js';

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
  /** A string that the target refuses for good, where there is one: a value beyond its limit, a key it cannot hold. */
  readonly refusable?: SampleEntry;
  /** Breaks every connection to the target, which itself stays up; absent when there is none to break. */
  readonly disconnect?: () => Promise<unknown>;
  /** Makes the target stand still, with every connection open, until the function that it gives is called. */
  readonly stall?: () => Promise<() => Promise<unknown>>;
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

    it('resumes at each place where a process may have ended', async () => {
      const history = new SampleHistory();
      history.appendMany(8);
      for (let at = 0; at < 8; at++) {
        const { sink, claim } = await claimed();
        if (sink.holdsPosition) expect(claim.position).toEqual(history.positionAfter(at));
        await expectDurable(sink, history, at, at + 1, claim);
        await sink[Symbol.asyncDispose]();
      }
      expect(await harness.contents()).toEqual(history.stateAfter(8));
    });

    it('does not apply a write a second time whose outcome its caller never learned', async () => {
      const history = new SampleHistory();
      history.appendMany(12);
      const first = await claimed();
      if (!first.sink.holdsPosition) return;
      await expectDurable(first.sink, history, 0, 6, first.claim);
      await expectDurable(first.sink, history, 6, 9, first.claim);
      const again = await first.sink.write(history.sinkBatch(6, 9), first.claim, signal);
      expect(['fenced', 'unknown']).toContain(again.kind);
      // What its caller then does: claim anew, and believe what it finds.
      const claim = await first.sink.claim(signal);
      expect(claim.position).toEqual(history.positionAfter(9));
      await expectDurable(first.sink, history, 9, 12, claim);
      expect(await harness.contents()).toEqual(history.stateAfter(12));
    });

    it('is whole again after writes of very different sizes', async () => {
      const history = new SampleHistory();
      for (let i = 0; i < 6; i++) {
        history.append([{ key: Buffer.from(`large:${i % 2}`), value: Buffer.alloc(300_000 * i, `${i}`) }]);
        history.append(
          Array.from({ length: 300 }, (_, j) => ({
            key: Buffer.from(`many:${j}`),
            value: Buffer.from(`${i}`),
          })),
        );
      }
      const { sink, claim } = await claimed();
      await expectDurable(sink, history, 0, 1, claim);
      await expectDurable(sink, history, 1, 11, claim);
      await expectDurable(sink, history, 11, 12, claim);
      expect(await harness.contents()).toEqual(history.stateAfter(12));
    });

    it('writes the same whether or not it was told before what comes, also when that does not come', async () => {
      const history = new SampleHistory();
      history.appendMany(40);
      const { sink, claim } = await claimed();
      const batches = [0, 10, 20, 30].map((from) => history.sinkBatch(from, from + 10));
      for (const [at, batch] of batches.entries()) {
        const writing = sink.write(batch, claim, signal);
        const next = batches[at + 1];
        if (next !== undefined) sink.prepare?.(at === 1 ? [...next.transactions] : next.transactions);
        const outcome = await writing;
        expect(outcome).toMatchObject({ kind: expect.stringMatching(/^(durable|accepted)$/) });
        if (outcome.kind === 'accepted') await outcome.durable;
      }
      expect(await harness.contents()).toEqual(history.stateAfter(40));
    });

    const { refusable, disconnect, stall } = harness;
    if (refusable !== undefined)
      it('names what it refuses for good, applies nothing of that write, and takes it without', async () => {
        const history = new SampleHistory();
        history.appendMany(4);
        history.append([{ key: Buffer.from('before'), value: Buffer.from('1') }, refusable]);
        history.appendMany(2, 'more');
        const { sink, claim } = await claimed();
        await expectDurable(sink, history, 0, 3, claim);
        const batch = history.sinkBatch(3, 7);
        const outcome = await sink.write(batch, claim, signal);
        if (outcome.kind !== 'poison') throw new Error(`the write was not refused but ${outcome.kind}`);
        // A target that takes whole transactions may refuse its neighbour with it.
        const refused = new Set(
          outcome.rejections.map(({ transaction, change }) => `${transaction}.${change}`),
        );
        expect(refused).toContain(sink.takesWholeBatches === true ? '1.0' : '1.1');
        expect([...refused].filter((place) => !place.startsWith('1.'))).toEqual([]);
        for (const { reason } of outcome.rejections) expect(reason).not.toBe('');
        // What delivers again after a crash may have delivered what stands before.
        if (sink.holdsPosition) expect(await harness.contents()).toEqual(history.stateAfter(3));
        const transactions =
          sink.takesWholeBatches === true
            ? batch.transactions.filter((_, at) => at !== 1)
            : batch.transactions.map((transaction, at) => ({
                ...transaction,
                changes: transaction.changes.filter((_, change) => !refused.has(`${at}.${change}`)),
              }));
        const taken = await sink.write({ ...batch, transactions }, claim, signal);
        expect(taken).toMatchObject({ kind: expect.stringMatching(/^(durable|accepted)$/) });
        if (taken.kind === 'accepted') await taken.durable;
        const expected = history.stateAfter(7);
        expected.delete(refusable.key.toString('hex'));
        if (refused.has('1.0')) expected.delete(Buffer.from('before').toString('hex'));
        expect(await harness.contents()).toEqual(expected);
      });

    if (stall !== undefined)
      it('takes a bounded amount while its target stands still, and everything once it goes on', async () => {
        const history = new SampleHistory();
        for (let i = 0; i < 64; i++)
          history.append([{ key: Buffer.from(`key:${i % 5}`), value: Buffer.alloc(256 * 1024, `${i} `) }]);
        const { sink, claim: first } = await claimed();
        await expectDurable(sink, history, 0, 1, first);
        let claim = first;
        let at = 1;
        const goOn = await stall();
        let open: Promise<WriteOutcome> | undefined;
        try {
          while (open === undefined && at < 31) {
            const writing = sink.write(history.sinkBatch(at, at + 1), claim, signal);
            const outcome = await Promise.race([writing, delay(stillMs)]);
            if (outcome === undefined) open = writing;
            else if (outcome.kind === 'accepted') at++;
            else throw new Error(`a target that stands still gave ${outcome.kind}`);
          }
        } finally {
          await goOn();
        }
        // 8 MiB on their way are more than what is in the buffers of a connection.
        expect(at).toBeLessThan(31);
        const outcome = await open;
        if (outcome?.kind === 'durable' || outcome?.kind === 'accepted') at++;
        else {
          claim = await sink.claim(signal);
          if (isSamePosition(claim.position, history.positionAfter(at + 1))) at++;
          else if (sink.holdsPosition) expect(claim.position).toEqual(history.positionAfter(at));
        }
        await expectDurable(sink, history, at, 32, claim);
        await expectDurable(sink, history, 32, 64, claim);
        expect(await harness.contents()).toEqual(history.stateAfter(64));
      });

    if (stall !== undefined)
      it('ends when it is disposed while its target stands still, and the next one finds what holds', async () => {
        const history = new SampleHistory();
        history.appendMany(40);
        const { sink, claim } = await claimed();
        await expectDurable(sink, history, 0, 20, claim);
        const goOn = await stall();
        let outcome: WriteOutcome | undefined;
        try {
          const writing = sink.write(history.sinkBatch(20, 40), claim, signal);
          await delay(stillMs);
          await sink[Symbol.asyncDispose]();
          outcome = await writing;
        } finally {
          await goOn();
        }
        const next = await claimed();
        if (!sink.holdsPosition) return;
        const isApplied = isSamePosition(next.claim.position, history.positionAfter(40));
        if (!isApplied) expect(next.claim.position).toEqual(history.positionAfter(20));
        if (outcome.kind === 'durable') expect(isApplied).toBe(true);
        if (!isApplied) await expectDurable(next.sink, history, 20, 40, next.claim);
        expect(await harness.contents()).toEqual(history.stateAfter(40));
      });

    if (disconnect !== undefined)
      it('tells the truth about a write that a broken connection leaves open, and goes on', async () => {
        const history = new SampleHistory();
        history.appendMany(30);
        const { sink, claim: first } = await claimed();
        let claim = first;
        for (let at = 0; at < 30; ) {
          const writing = sink.write(history.sinkBatch(at, at + 5), claim, signal);
          await disconnect();
          const outcome = await writing;
          const isLost =
            outcome.kind === 'accepted' &&
            (await outcome.durable.then(
              () => false,
              () => true,
            ));
          if (outcome.kind === 'durable' || (outcome.kind === 'accepted' && !isLost)) {
            at += 5;
            continue;
          }
          expect(['unknown', 'retryable', 'accepted']).toContain(outcome.kind);
          claim = await sink.claim(signal);
          const isApplied = isSamePosition(claim.position, history.positionAfter(at + 5));
          if (isApplied) at += 5;
          else if (sink.holdsPosition) expect(claim.position).toEqual(history.positionAfter(at));
          // And now undisturbed, so that the test ends.
          if (at < 30) await expectDurable(sink, history, at, at + 5, claim);
          at += 5;
        }
        expect(await harness.contents()).toEqual(history.stateAfter(30));
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

    it('does not take the target back from a successor by claiming again', async () => {
      const history = new SampleHistory();
      history.appendMany(4);
      const old = await claimed();
      if (!old.sink.holdsPosition || harness.fencing === 'lock') return;
      // Its own claims never stand in its way.
      expect((await old.sink.claim(signal)).epoch).toBeGreaterThan(old.claim.epoch);
      const successor = await claimed();
      const error: unknown = await old.sink.claim(signal).catch((caught: unknown) => caught);
      expect(isTailraceError(error, 'SINK_FENCED')).toBe(true);
      await expectDurable(successor.sink, history, 0, 4, successor.claim);
      expect(await harness.contents()).toEqual(history.stateAfter(4));
    });

    it('lets its position be read without a claim, and be set by whoever has claimed', async () => {
      const history = new SampleHistory();
      history.appendMany(12);
      const onlooker = await open();
      if (onlooker.readPosition === undefined || onlooker.setPosition === undefined) return;
      if (!onlooker.holdsPosition) return;
      expect(await onlooker.readPosition(signal)).toBeNull();
      const { sink, claim } = await claimed();
      await expectDurable(sink, history, 0, 4, claim);
      expect(await onlooker.readPosition(signal)).toEqual(history.positionAfter(4));
      await expectDurable(sink, history, 4, 6, claim);
      await sink[Symbol.asyncDispose]();

      const setter = await claimed();
      await setter.sink.setPosition?.(history.positionAfter(8), setter.claim, signal);
      await setter.sink[Symbol.asyncDispose]();
      const next = await claimed();
      expect(next.claim.position).toEqual(history.positionAfter(8));
      await expectDurable(next.sink, history, 8, 12, next.claim);
      if (harness.fencing === 'epoch') {
        const late = await claimed();
        const refused: unknown = await next.sink
          .setPosition?.(null, { ...next.claim, position: history.positionAfter(12) }, signal)
          .catch((caught: unknown) => caught);
        expect(isTailraceError(refused, 'SINK_FENCED')).toBe(true);
        await late.sink[Symbol.asyncDispose]();
      }
      await next.sink[Symbol.asyncDispose]();
      expect(await onlooker.readPosition(signal)).toEqual(history.positionAfter(12));

      const resetter = await claimed();
      await resetter.sink.setPosition?.(null, resetter.claim, signal);
      await resetter.sink[Symbol.asyncDispose]();
      expect(await onlooker.readPosition(signal)).toBeNull();
      expect((await claimed()).claim.position).toBeNull();
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

/** A write that takes longer waits for its target. */
const stillMs = 300;
