import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../src/kit/index.js';
import { collectGarbage } from '../support/collect-garbage.js';

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

describe('a deadline', () => {
  it('comes although the garbage collector runs all the while', async () => {
    const collecting = setInterval(collectGarbage, 5);
    try {
      for (let i = 0; i < 5; i++)
        await expect(withDeadline(50, [new AbortController().signal], untilAborted)).rejects.toMatchObject({
          name: 'TimeoutError',
        });
    } finally {
      clearInterval(collecting);
    }
  });

  it('comes sooner when a signal aborts, also one that has already', async () => {
    const asked = new AbortController();
    const waiting = withDeadline(60_000, [new AbortController().signal, asked.signal], untilAborted);
    asked.abort(new Error('asked to'));
    await expect(waiting).rejects.toThrow('asked to');
    const late = withDeadline(60_000, [asked.signal], async (signal) => signal.throwIfAborted());
    await expect(late).rejects.toThrow('asked to');
  });

  it('passes on what the work gives, or fails with', async () => {
    expect(await withDeadline(60_000, [], async () => 'done')).toBe('done');
    await expect(withDeadline(60_000, [], async () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    );
  });
});
