import { expect, it } from 'vitest';
import { isTailraceError } from '../../errors/index.js';
import type { Sink } from '../sink.js';
import { SampleHistory } from './sample-history.js';
import type { SinkTrial } from './sink-trial.js';

/** Whoever claims later wins: what an older claimant writes is refused. */
export const itFencesByEpoch = (trial: SinkTrial): void => {
  it('keeps out a claimant that was overtaken', async () => {
    const history = new SampleHistory();
    history.appendMany(12);
    const old = await trial.claimed();
    await trial.deliver(old.sink, history, 0, 4, old.claim);
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 4, 8, claim);
    expect((await old.sink.write(history.sinkBatch(4, 12), old.claim, trial.signal)).kind).toBe('fenced');
    await trial.deliver(sink, history, 8, 10, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(10));
  });

  it('does not take the target back from a successor by claiming again', async () => {
    const history = new SampleHistory();
    history.appendMany(4);
    const old = await trial.claimed();
    // Its own claims never stand in its way.
    expect((await trial.claim(old.sink)).epoch).toBeGreaterThan(old.claim.epoch);
    const successor = await trial.claimed();
    expect(isTailraceError(await claimError(old.sink, trial), 'SINK_FENCED')).toBe(true);
    await trial.deliver(successor.sink, history, 0, 4, successor.claim);
    expect(await trial.contents()).toEqual(history.stateAfter(4));
  });

  it('does not let a claimant that was overtaken set the position', async () => {
    const history = new SampleHistory();
    history.appendMany(8);
    const old = await trial.claimed();
    if (old.sink.setPosition === undefined) return;
    await trial.deliver(old.sink, history, 0, 8, old.claim);
    const successor = await trial.claimed();
    const refused: unknown = await old.sink
      .setPosition(null, { ...old.claim, position: history.positionAfter(8) }, trial.signal)
      .catch((caught: unknown) => caught);
    expect(isTailraceError(refused, 'SINK_FENCED')).toBe(true);
    expect(successor.claim.position).toEqual(history.positionAfter(8));
    expect(await successor.sink.readPosition?.(trial.signal)).toEqual(history.positionAfter(8));
  });
};

/** Whoever has claimed keeps others out for as long as it lives. */
export const itFencesByLock = (trial: SinkTrial): void => {
  it('keeps out others while it lives', async () => {
    const history = new SampleHistory();
    history.appendMany(8);
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 4, claim);
    expect(isTailraceError(await claimError(await trial.open(), trial), 'SINK_FENCED')).toBe(true);
    await trial.deliver(sink, history, 4, 8, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(8));
  });
};

const claimError = (sink: Sink, { signal }: SinkTrial): Promise<unknown> =>
  sink.claim(signal).catch((caught: unknown) => caught);
