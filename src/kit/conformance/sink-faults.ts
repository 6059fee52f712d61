import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { WriteOutcome } from '../sink.js';
import { SampleHistory } from './sample-history.js';
import type { SinkTrial } from './sink-trial.js';

/** @param stall makes the target stand still until the function that it gives is called */
export const itOutlivesStalls = (trial: SinkTrial, stall: () => Promise<() => Promise<unknown>>): void => {
  it('takes a bounded amount while its target stands still, and everything once it goes on', async () => {
    const history = new SampleHistory();
    for (let i = 0; i < 64; i++)
      history.append([{ key: Buffer.from(`key:${i % 5}`), value: Buffer.alloc(256 * 1024, `${i} `) }]);
    const { sink, claim: first } = await trial.claimed();
    await trial.deliver(sink, history, 0, 1, first);
    let claim = first;
    let at = 1;
    const goOn = await stall();
    let open: Promise<WriteOutcome> | undefined;
    try {
      while (open === undefined && at < 31) {
        const writing = sink.write(history.sinkBatch(at, at + 1), claim, trial.signal);
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
      claim = await trial.claim(sink);
      if (trial.wasApplied(claim, history, at, at + 1)) at++;
    }
    await trial.deliver(sink, history, at, 32, claim);
    await trial.deliver(sink, history, 32, 64, claim);
    expect(await trial.contents()).toEqual(history.stateAfter(64));
  });

  it('ends when it is disposed while its target stands still, and the next one finds what holds', async () => {
    const history = new SampleHistory();
    history.appendMany(40);
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 20, claim);
    const goOn = await stall();
    let outcome: WriteOutcome | undefined;
    try {
      const writing = sink.write(history.sinkBatch(20, 40), claim, trial.signal);
      await delay(stillMs);
      await sink[Symbol.asyncDispose]();
      outcome = await writing;
    } finally {
      await goOn();
    }
    const next = await trial.claimed();
    const isApplied = trial.wasApplied(next.claim, history, 20, 40);
    if (trial.holdsPosition && outcome.kind === 'durable') expect(isApplied).toBe(true);
    if (!isApplied) await trial.deliver(next.sink, history, 20, 40, next.claim);
    expect(await trial.contents()).toEqual(history.stateAfter(40));
  });
};

/** @param disconnect breaks every connection to the target */
export const itOutlivesDisconnects = (trial: SinkTrial, disconnect: () => Promise<unknown>): void => {
  it('tells the truth about a write that a broken connection leaves open, and goes on', async () => {
    const history = new SampleHistory();
    history.appendMany(30);
    const { sink, claim: first } = await trial.claimed();
    let claim = first;
    for (let at = 0; at < 30; ) {
      const writing = sink.write(history.sinkBatch(at, at + 5), claim, trial.signal);
      await disconnect();
      const outcome = await writing;
      if (await becomesDurable(outcome)) {
        at += 5;
        continue;
      }
      expect(['unknown', 'retryable', 'accepted']).toContain(outcome.kind);
      claim = await trial.claim(sink);
      if (trial.wasApplied(claim, history, at, at + 5)) at += 5;
      // And now undisturbed, so that the test ends.
      if (at < 30) await trial.deliver(sink, history, at, at + 5, claim);
      at += 5;
    }
    expect(await trial.contents()).toEqual(history.stateAfter(30));
  });
};

const becomesDurable = async (outcome: WriteOutcome): Promise<boolean> => {
  if (outcome.kind !== 'accepted') return outcome.kind === 'durable';
  return await outcome.durable.then(
    () => true,
    () => false,
  );
};

/** A write that takes longer waits for its target. */
const stillMs = 300;
