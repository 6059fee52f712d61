import { expect, it } from 'vitest';
import { withChanges } from '../../data-model/index.js';
import { type SampleEntry, SampleHistory } from './sample-history.js';
import type { SinkTrial } from './sink-trial.js';

/** @param refusable a string that the target never takes */
export const itNamesWhatItRefuses = (trial: SinkTrial, refusable: SampleEntry): void => {
  it('names what it refuses for good, applies nothing of that write, and takes it without', async () => {
    const history = new SampleHistory();
    history.appendMany(4);
    history.append([{ key: Buffer.from('before'), value: Buffer.from('1') }, refusable]);
    history.appendMany(2, 'more');
    const { sink, claim } = await trial.claimed();
    await trial.deliver(sink, history, 0, 3, claim);
    const batch = history.sinkBatch(3, 7);
    const outcome = await sink.write(batch, claim, trial.signal);
    if (outcome.kind !== 'poison') throw new Error(`the write was not refused but ${outcome.kind}`);
    // A target that takes whole transactions may refuse its neighbour with it.
    const refused = new Set(outcome.rejections.map(({ transaction, change }) => `${transaction}.${change}`));
    expect(refused).toContain(sink.takesWholeBatches === true ? '1.0' : '1.1');
    expect([...refused].filter((place) => !place.startsWith('1.'))).toEqual([]);
    for (const { reason } of outcome.rejections) expect(reason).not.toBe('');
    // What delivers again after a crash may have delivered what stands before.
    if (trial.holdsPosition) expect(await trial.contents()).toEqual(history.stateAfter(3));
    const transactions =
      sink.takesWholeBatches === true
        ? batch.transactions.filter((_, at) => at !== 1)
        : batch.transactions.map((transaction, at) =>
            withChanges(
              transaction,
              transaction.changes.filter((_, change) => !refused.has(`${at}.${change}`)),
            ),
          );
    await trial.expectDurable(await sink.write({ ...batch, transactions }, claim, trial.signal));
    const expected = history.stateAfter(7);
    expected.delete(refusable.key.toString('hex'));
    if (refused.has('1.0')) expected.delete(Buffer.from('before').toString('hex'));
    expect(await trial.contents()).toEqual(expected);
  });
};
