import { describe, expect, it } from 'vitest';
import { orGivenUp } from '../../src/kit/index.js';

const never = new Promise<never>(() => undefined);

describe('work that may be given up', () => {
  it('is waited for while nobody aborts, and passed on with what it fails with', async () => {
    const { signal } = new AbortController();
    expect(await orGivenUp(Promise.resolve('done'), signal)).toBe('done');
    await expect(orGivenUp(Promise.reject(new Error('broken')), signal)).rejects.toThrow('broken');
  });

  it('ends with the reason of the signal, also of one that has aborted already', async () => {
    const asked = new AbortController();
    const waiting = orGivenUp(never, asked.signal);
    asked.abort(new Error('asked to'));
    await expect(waiting).rejects.toThrow('asked to');
    await expect(orGivenUp(never, asked.signal)).rejects.toThrow('asked to');
    expect(await orGivenUp(Promise.resolve('done before'), asked.signal)).toBe('done before');
  });

  it('may still end by itself as long as there is patience', async () => {
    const asked = new AbortController();
    asked.abort(new Error('asked to'));
    const soon = new Promise((resolve) => setTimeout(resolve, 5, 'done'));
    expect(await orGivenUp(soon, asked.signal, 10_000)).toBe('done');
    await expect(orGivenUp(never, asked.signal, 5)).rejects.toThrow('asked to');
  });
});
