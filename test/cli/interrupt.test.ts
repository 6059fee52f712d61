import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { onInterrupt } from '../../src/cli/interrupt.js';

describe('interrupting', () => {
  const before = { SIGINT: process.listeners('SIGINT'), SIGTERM: process.listeners('SIGTERM') };
  afterEach(() => {
    vi.restoreAllMocks();
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      for (const listener of process.listeners(signal))
        if (!before[signal].includes(listener)) process.off(signal, listener);
  });

  it('takes signals that come together for one, as a process and its group get them, and a later one for impatience', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    let nowMs = 1_000;
    const interrupted = onInterrupt(() => nowMs);
    process.emit('SIGINT');
    expect(interrupted.aborted).toBe(true);
    nowMs += 20;
    process.emit('SIGTERM');
    expect(exit).not.toHaveBeenCalled();
    nowMs += 1_000;
    process.emit('SIGINT');
    expect(exit).toHaveBeenCalledWith(130);
  });
});
