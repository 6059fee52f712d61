import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { onInterrupt } from '../../src/cli/interrupt.js';

describe('interrupting', () => {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const before = new Map(signals.map((signal) => [signal, process.listeners(signal)]));
  afterEach(() => {
    vi.restoreAllMocks();
    for (const signal of signals)
      for (const listener of process.listeners(signal))
        if (!before.get(signal)?.includes(listener)) process.off(signal, listener);
  });

  it.each(signals)('is asked for by %s', (signal) => {
    const interrupted = onInterrupt();
    expect(interrupted.aborted).toBe(false);
    process.emit(signal);
    expect(interrupted.aborted).toBe(true);
  });

  it('takes signals that come together for one, as a process and its group get them, and a later one for impatience', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => true);
    let nowMs = 1_000;
    const interrupted = onInterrupt(() => nowMs);
    process.emit('SIGINT');
    expect(interrupted.aborted).toBe(true);
    nowMs += 20;
    process.emit('SIGTERM');
    expect(kill).not.toHaveBeenCalled();
    nowMs += 1_000;
    process.emit('SIGINT');
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGINT');
    expect(exit).toHaveBeenCalledWith(130);
  });
});
