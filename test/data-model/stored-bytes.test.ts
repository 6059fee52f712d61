import { expect, it } from 'vitest';
import { storedBytes } from '../../src/data-model/index.js';
import { CommandClient } from '../support/command-client.js';
import { countWalks } from '../support/counted-walks.js';

it('tells what a large key takes by the first of its elements, and exactly where all are asked for', () => {
  const client = new CommandClient();
  for (let i = 0; i < 3_000; i++) client.run('HSET', 'h', `field:${i}`, 'v'.repeat(40 + (i % 5)));
  const counts = countWalks(client.store);
  const bytesOf = (samples?: number): number =>
    storedBytes(client.store, '__namespace', Buffer.from('h'), 0, samples) ?? 0;
  const exact = bytesOf(Number.POSITIVE_INFINITY);
  expect(counts.steps).toBe(3_000);
  counts.steps = 0;
  for (const samples of [undefined, 100, 5]) {
    const about = bytesOf(samples);
    expect(about / exact).toBeGreaterThan(0.9);
    expect(about / exact).toBeLessThan(1.1);
  }
  expect(counts.steps).toBe(1_105);
  expect(bytesOf(3_000)).toBe(exact);
});
