import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { CreditGate } from '../../src/pipeline/credit-gate.js';

it('the credit leaves no listener behind, however often somebody waits for it', async () => {
  const { signal } = new AbortController();
  const gate = new CreditGate(10);
  for (let round = 0; round < 20; round++) {
    gate.take(10);
    const ready = [gate.ready(signal), gate.ready(signal)];
    gate.release(10);
    await Promise.all(ready);
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
