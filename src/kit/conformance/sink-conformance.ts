import { afterEach, describe } from 'vitest';
import { itDelivers } from './sink-delivery.js';
import { itOutlivesDisconnects, itOutlivesStalls } from './sink-faults.js';
import { itFencesByEpoch, itFencesByLock } from './sink-fencing.js';
import type { SinkHarness } from './sink-harness.js';
import { itHoldsItsPosition } from './sink-position.js';
import { itNamesWhatItRefuses } from './sink-refusal.js';
import { SinkTrial } from './sink-trial.js';

/**
 * The proof that a sink keeps its promises, to be called in a vitest file. Sinks that hold a position are held to
 * exactly once, the others (`fencing: 'none'`) to taking what they are given, in order.
 *
 * @example
 * sinkConformance('my sink', { open: () => new MySink(options, context), contents, fencing: 'epoch', clean });
 */
export const sinkConformance = (name: string, harness: SinkHarness): void => {
  describe(`${name}: sink conformance`, () => {
    const trial = new SinkTrial(harness);
    afterEach(() => trial.end());
    itDelivers(trial);
    const { fencing, refusable, stall, disconnect } = harness;
    if (fencing !== 'none') itHoldsItsPosition(trial);
    if (fencing === 'epoch') itFencesByEpoch(trial);
    if (fencing === 'lock') itFencesByLock(trial);
    if (refusable !== undefined) itNamesWhatItRefuses(trial, refusable);
    if (stall !== undefined) itOutlivesStalls(trial, stall);
    if (disconnect !== undefined) itOutlivesDisconnects(trial, disconnect);
  });
};
