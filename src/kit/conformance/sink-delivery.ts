import { expect, it } from 'vitest';
import { SampleHistory } from './sample-history.js';
import type { SinkTrial } from './sink-trial.js';

/** What every sink does: take transactions in order, whatever is in them. */
export const itDelivers = (trial: SinkTrial): void => {
  it('takes transactions in order and ends with what they end with', async () => {
    const history = new SampleHistory();
    history.appendMany(60);
    const { sink, claim } = await trial.claimed();
    expect(sink.holdsPosition).toBe(trial.holdsPosition);
    expect(claim.position).toBeNull();
    for (const [from, to] of [
      [0, 1],
      [1, 25],
      [25, 59],
      [59, 60],
    ] as const)
      await trial.deliver(sink, history, from, to, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(60));
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
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 1, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(1));
  });

  it('takes a batch without any change, and a write of none but such', async () => {
    const history = new SampleHistory();
    history.appendMany(2);
    history.appendEmpty();
    history.appendMany(1, 'more');
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 2, claim);
    await trial.deliver(sink, history, 2, 3, claim);
    await trial.deliver(sink, history, 3, 4, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(4));
  });

  it('can be disposed twice, and while a write is under way', async () => {
    const history = new SampleHistory();
    history.appendMany(40);
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 20, claim);
    const writing = sink.write(history.sinkBatch(20, 40), claim, trial.signal);
    await sink[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
    const outcome = await writing;
    const next = await trial.claimed();
    const isApplied = trial.wasApplied(next.claim, history, 20, 40);
    if (trial.holdsPosition) {
      if (outcome.kind === 'durable') expect(isApplied).toBe(true);
      expect(await trial.contents()).toEqual(history.stateAfter(isApplied ? 40 : 20));
    }
    if (!isApplied) await trial.deliver(next.sink, history, 20, 40, next.claim);
    expect(await trial.contents()).toEqual(history.stateAfter(40));
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
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 1, claim);
    await trial.deliver(sink, history, 1, 11, claim);
    await trial.deliver(sink, history, 11, 12, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(12));
  });

  it('writes the same whether or not it was told before what comes, also when that does not come', async () => {
    const history = new SampleHistory();
    history.appendMany(40);
    const { sink, claim } = await trial.claimed();
    const batches = [0, 10, 20, 30].map((from) => history.sinkBatch(from, from + 10));
    for (const [at, batch] of batches.entries()) {
      const writing = sink.write(batch, claim, trial.signal);
      const next = batches[at + 1];
      if (next !== undefined) sink.prepare?.(at === 1 ? [...next.transactions] : next.transactions);
      await trial.expectDurable(await writing);
    }
    expect(await trial.contents()).toEqual(history.stateAfter(40));
  });

  it('resumes at each place where a process may have ended', async () => {
    const history = new SampleHistory();
    history.appendMany(8);
    for (let at = 0; at < 8; at++) {
      const { sink, claim } = await trial.claimed();
      expect(claim.position).toEqual(trial.holdsPosition ? history.positionAfter(at) : null);
      await trial.deliver(sink, history, at, at + 1, claim);
      await sink[Symbol.asyncDispose]();
    }
    expect(await trial.contents()).toEqual(history.stateAfter(8));
  });
};
