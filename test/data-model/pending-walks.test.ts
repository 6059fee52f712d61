import { beforeAll, describe, expect, it } from 'vitest';
import type { DataIterator, DataRange } from '../../src/engine/index.js';
import { CommandClient } from '../support/command-client.js';

const pendingCount = 2_000;

/** Counts the records that commands step over. */
const countSteps = (client: CommandClient): (() => number) => {
  let steps = 0;
  const iterate = client.store.iterate.bind(client.store);
  client.store.iterate = (range: DataRange): DataIterator => {
    const iterator = iterate(range);
    const next = iterator.next.bind(iterator);
    iterator.next = () => {
      steps++;
      return next();
    };
    return iterator;
  };
  return () => {
    const counted = steps;
    steps = 0;
    return counted;
  };
};

describe('a group with many pending entries', () => {
  const client = new CommandClient(() => 1_000_000);
  const steps = countSteps(client);

  beforeAll(() => {
    for (let i = 1; i <= pendingCount; i++) client.run('XADD', 's', `${i}-0`, 'f', 'v');
    client.run('XGROUP', 'CREATE', 's', 'g', '0');
    client.run('XREADGROUP', 'GROUP', 'g', 'bulk', 'COUNT', `${pendingCount - 3}`, 'STREAMS', 's', '>');
    client.run('XREADGROUP', 'GROUP', 'g', 'tail', 'STREAMS', 's', '>');
    client.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'idle');
    client.run('XCLAIM', 's', 'g', 'few', '0', '5-0', '7-0', 'JUSTID');
  });

  it.each<[words: string, mostSteps: number]>([
    ['XPENDING s g', 10],
    ['XPENDING s g - + 10', 10],
    ['XPENDING s g - + 10 few', 10],
    ['XPENDING s g - + 10 idle', 0],
    ['XPENDING s g IDLE 5000 - 20 10', 20],
    ['XREADGROUP GROUP g few STREAMS s 0', 10],
    ['XREADGROUP GROUP g idle STREAMS s 0', 0],
    ['XINFO CONSUMERS s g', 10],
    ['XAUTOCLAIM s g few 0 0 COUNT 3', 10],
    ['XGROUP DELCONSUMER s g idle', 0],
  ])('is not read whole by %s', (words, mostSteps) => {
    steps();
    expect(String(client.run(...words.split(' ')))).not.toMatch(/^error/);
    expect(steps()).toBeLessThanOrEqual(mostSteps);
  });

  it('tells each consumer its own in XINFO STREAM FULL, and stops at the last that it shows', () => {
    client.run('XACK', 's', 'g', `${pendingCount}-0`, `${pendingCount - 1}-0`, `${pendingCount - 2}-0`);
    steps();
    const told = client.run('XINFO', 'STREAM', 's', 'FULL', 'COUNT', '2');
    expect(steps()).toBeLessThan(30);
    expect(JSON.stringify(told)).toMatch(
      /"few",.*"pel-count",5,"pending",\[\["1-0",1000000,\d\],\["2-0",1000000,\d\]\].*"bulk",.*"pel-count",1992,/,
    );
  });
});
