import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isTailraceError } from '../../errors/index.js';
import { ContiguityCheck } from '../history.js';
import type { StartPoint } from '../position.js';
import type { Source, SourceBatch } from '../source.js';
import { SampleHistory } from './sample-history.js';

/** What the suite needs to know of a source. */
export interface SourceHarness {
  /** Makes an empty store that the source reads; runs before each test. */
  prepare(): Promise<void>;
  /** Writes a batch to the store, under the sequence number that it carries, durably. */
  write(batch: Buffer): Promise<void>;
  /** A new source on the store. */
  open(): Promise<Source> | Source;
  /** Removes the store; runs after each test, when every source is disposed. */
  clean(): Promise<void>;
}

/**
 * The proof that a source keeps its promises, to be called in a vitest file.
 *
 * @example
 * sourceConformance('my source', { prepare, write, open: () => new MySource(options, context), clean });
 */
export const sourceConformance = (name: string, harness: SourceHarness): void => {
  describe(`${name}: source conformance`, () => {
    const opened: Source[] = [];
    const { signal } = new AbortController();
    const openAt = async (start: StartPoint): Promise<Source> => {
      const source = await harness.open();
      opened.push(source);
      await source.open(start, signal);
      return source;
    };
    const write = async (history: SampleHistory, from = 0): Promise<void> => {
      for (const batch of history.batches.slice(from)) await harness.write(Buffer.from(batch.bytes));
    };
    beforeEach(() => harness.prepare());
    afterEach(async () => {
      for (const source of opened.splice(0)) await source[Symbol.asyncDispose]();
      await harness.clean();
    });

    it('delivers every batch whole, in order and without a gap', async () => {
      const history = new SampleHistory();
      history.appendMany(120);
      await write(history);
      const source = await openAt({ kind: 'beginning' });
      expectSame(await take(source, 120), history.batches);
    });

    it('goes on right behind any position', async () => {
      const history = new SampleHistory();
      history.appendMany(20);
      await write(history);
      for (const handled of [1, 2, 9, 19]) {
        const source = await openAt({ kind: 'after', position: history.positionAfter(handled) ?? never() });
        expectSame(await take(source, 20 - handled), history.batches.slice(handled));
        await source.acknowledge(history.positionAfter(20) ?? never());
        await source[Symbol.asyncDispose]();
      }
    });

    it('delivers what is written later, from the end of the history', async () => {
      const history = new SampleHistory();
      history.appendMany(5);
      await write(history);
      const atEnd = await openAt({ kind: 'after', position: history.positionAfter(5) ?? never() });
      const latest = await openAt({ kind: 'latest' });
      history.appendMany(6, 'later');
      const [one, two] = [take(atEnd, 6), take(latest, 6)];
      await write(history, 5);
      expectSame(await one, history.batches.slice(5));
      expectSame(await two, history.batches.slice(5));
    });

    it('tells its newest batch, and is then opened behind it as at any position', async () => {
      const history = new SampleHistory();
      const source = await harness.open();
      opened.push(source);
      if (source.newestPosition === undefined) return;
      expect(await source.newestPosition(signal)).toBeNull();
      history.appendMany(5);
      await write(history);
      const position = history.positionAfter(5) ?? never();
      expect(await source.newestPosition(signal)).toEqual(position);
      history.appendMany(3, 'later');
      await write(history, 5);
      await source.open({ kind: 'after', position }, signal);
      expectSame(await take(source, 3), history.batches.slice(5));
    });

    it('keeps to the limits of a pull, but delivers a larger batch alone', async () => {
      const history = new SampleHistory();
      history.appendMany(10);
      history.append([{ key: Buffer.from('large'), value: Buffer.alloc(300_000, 1) }]);
      history.appendMany(10, 'behind');
      await write(history);
      const source = await openAt({ kind: 'beginning' });
      const batches: SourceBatch[] = [];
      while (batches.length < 21) {
        const pulled = await source.pull({ maxBatches: 4, maxBytes: 100_000 }, signal);
        if (pulled === null) break;
        expect(pulled.batches.length).toBeLessThanOrEqual(4);
        batches.push(...pulled.batches);
      }
      expectSame(batches, history.batches);
    });

    it('refuses a position of another history, and one that is ahead of it', async () => {
      const history = new SampleHistory();
      history.appendMany(10);
      await write(history);
      const position = history.positionAfter(6) ?? never();
      await expectRefused(
        { kind: 'after', position: { ...position, crc: position.crc ^ 1 } },
        'HISTORY_MISMATCH',
      );
      await expectRefused(
        { kind: 'after', position: { ...position, sequence: position.sequence + 1000 } },
        'WAL_SEQUENCE_AHEAD',
      );
    });

    it('gives up waiting when it is told to, and can be disposed meanwhile', async () => {
      const history = new SampleHistory();
      history.appendMany(1);
      await write(history);
      const source = await openAt({ kind: 'latest' });
      const abort = new AbortController();
      const waiting = pullUntil(source, abort.signal);
      abort.abort();
      await expect(waiting).rejects.toThrow();
      await source[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    });

    const expectRefused = async (
      start: StartPoint,
      code: 'HISTORY_MISMATCH' | 'WAL_SEQUENCE_AHEAD',
    ): Promise<void> => {
      const error: unknown = await openAt(start).catch((caught: unknown) => caught);
      expect(isTailraceError(error) ? error.code : error).toBe(code);
    };
  });
};

/** Pulls until `count` batches have come, checking that each follows its predecessor. */
const take = async (source: Source, count: number): Promise<SourceBatch[]> => {
  const batches: SourceBatch[] = [];
  const check = new ContiguityCheck();
  const deadline = AbortSignal.timeout(10_000);
  while (batches.length < count) {
    const pulled = await source.pull({ maxBatches: 1000, maxBytes: 1024 * 1024 }, deadline);
    if (pulled === null) break;
    for (const batch of pulled.batches) check.accept(batch.sequence, batch.count);
    batches.push(...pulled.batches);
  }
  return batches;
};

const pullUntil = async (source: Source, signal: AbortSignal): Promise<void> => {
  for (;;) await source.pull({ maxBatches: 10, maxBytes: 1024 }, signal);
};

const expectSame = (found: readonly SourceBatch[], expected: readonly SourceBatch[]): void => {
  expect(found.map(({ sequence, count }) => [sequence, count])).toEqual(
    expected.map(({ sequence, count }) => [sequence, count]),
  );
  expect(found.every(({ bytes }, i) => bytes.equals(expected[i]?.bytes ?? Buffer.alloc(0)))).toBe(true);
};

const never = (): never => {
  throw new Error('the sample history is too short');
};
