import { describe, expect, it } from 'vitest';
import { SerialQueue } from '../../src/files/index.js';

describe('serial queue', () => {
  it('runs one job at a time, in order, also behind one that fails, and tells each its own outcome', async () => {
    const queue = new SerialQueue();
    const steps: string[] = [];
    const job = (name: string, fails: boolean) => async (): Promise<string> => {
      steps.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      steps.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
    const outcomes = Promise.allSettled([
      queue.run(job('a', false)),
      queue.run(job('b', true)),
      queue.run(job('c', false)),
    ]);
    await queue.whenIdle();
    expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(await outcomes).toMatchObject([
      { status: 'fulfilled', value: 'a' },
      { status: 'rejected', reason: { message: 'b' } },
      { status: 'fulfilled', value: 'c' },
    ]);
    await expect(queue.run(job('d', true))).rejects.toThrow('d');
    await queue.whenIdle();
  });
});
