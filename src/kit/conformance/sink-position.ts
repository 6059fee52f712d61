import { expect, it } from 'vitest';
import { onceSettled } from '../once-settled.js';
import { SampleHistory } from './sample-history.js';
import type { SinkTrial } from './sink-trial.js';

/** What a sink does that commits data and position together. */
export const itHoldsItsPosition = (trial: SinkTrial): void => {
  it('gives the position back to whoever claims next, with a larger epoch', async () => {
    const history = new SampleHistory();
    history.appendMany(12);
    const first = await trial.claimed();
    await trial.deliver(first.sink, history, 0, 7, first.claim);
    await first.sink[Symbol.asyncDispose]();
    const second = await trial.claimed();
    expect(second.claim.position).toEqual(history.positionAfter(7));
    expect(second.claim.epoch).toBeGreaterThan(first.claim.epoch);
    await trial.deliver(second.sink, history, 7, 12, second.claim);
    expect(await trial.contents()).toEqual(history.stateAfter(12));
  });

  it('takes a position with nothing in front of it: where a pipeline begins at the latest', async () => {
    const history = new SampleHistory();
    history.appendMany(8);
    const first = await trial.claimed();
    const position = history.positionAfter(4);
    if (position === null) throw new Error('there are no batches');
    const beginning = { transactions: [], position, previous: null, byteLength: 0 };
    const outcome = await onceSettled(first.sink.write(beginning, first.claim, trial.signal));
    expect(outcome).toEqual({ kind: 'durable' });
    await first.sink[Symbol.asyncDispose]();
    const second = await trial.claimed();
    expect(second.claim.position).toEqual(position);
    await trial.deliver(second.sink, history, 4, 8, second.claim);
    await second.sink[Symbol.asyncDispose]();
    expect((await trial.claimed()).claim.position).toEqual(history.positionAfter(8));
  });

  it('refuses a write that does not continue what it holds, and applies nothing of it', async () => {
    const history = new SampleHistory();
    history.appendMany(12);
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 5, claim);
    const outcome = await sink.write(history.sinkBatch(6, 12), claim, trial.signal);
    expect(['fenced', 'unknown']).toContain(outcome.kind);
    expect(await trial.contents()).toEqual(history.stateAfter(5));
  });

  it('does not apply a write a second time whose outcome its caller never learned', async () => {
    const history = new SampleHistory();
    history.appendMany(12);
    const first = await trial.claimed();
    await trial.deliver(first.sink, history, 0, 6, first.claim);
    await trial.deliver(first.sink, history, 6, 9, first.claim);
    const again = await first.sink.write(history.sinkBatch(6, 9), first.claim, trial.signal);
    expect(['fenced', 'unknown']).toContain(again.kind);
    // What its caller then does: claim anew, and believe what it finds.
    const claim = await trial.claim(first.sink);
    expect(claim.position).toEqual(history.positionAfter(9));
    await trial.deliver(first.sink, history, 9, 12, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(12));
  });

  it('lets its position be read without a claim, and be set by whoever has claimed', async () => {
    const history = new SampleHistory();
    history.appendMany(12);
    const onlooker = await trial.open();
    if (onlooker.readPosition === undefined || onlooker.setPosition === undefined) return;
    expect(await onlooker.readPosition(trial.signal)).toBeNull();
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 4, claim);
    expect(await onlooker.readPosition(trial.signal)).toEqual(history.positionAfter(4));
    await trial.deliver(sink, history, 4, 6, claim);
    await sink[Symbol.asyncDispose]();

    const setter = await trial.claimed();
    await setter.sink.setPosition?.(history.positionAfter(8), setter.claim, trial.signal);
    await setter.sink[Symbol.asyncDispose]();
    const next = await trial.claimed();
    expect(next.claim.position).toEqual(history.positionAfter(8));
    await trial.deliver(next.sink, history, 8, 12, next.claim);
    await next.sink[Symbol.asyncDispose]();
    expect(await onlooker.readPosition(trial.signal)).toEqual(history.positionAfter(12));

    const resetter = await trial.claimed();
    await resetter.sink.setPosition?.(null, resetter.claim, trial.signal);
    await resetter.sink[Symbol.asyncDispose]();
    expect(await onlooker.readPosition(trial.signal)).toBeNull();
    expect((await trial.claimed()).claim.position).toBeNull();
  });
};
