import process from 'node:process';
import { expect, it, vi } from 'vitest';
import { ExitCode, reportError } from '../../src/cli/exit.js';
import { TailraceError } from '../../src/errors/index.js';

const failing = (error: Error): AsyncDisposable => ({ [Symbol.asyncDispose]: () => Promise.reject(error) });

it('tells what went wrong first, although closing what was open failed as well', async () => {
  const work = async (): Promise<void> => {
    await using _outer = failing(new Error('the second to fail at closing'));
    await using _inner = failing(new Error('the first to fail at closing'));
    throw new TailraceError('USAGE', 'no such thing', { remedy: 'Name another.' });
  };
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    expect(reportError(await work().catch((error: unknown) => error), false)).toBe(ExitCode.Usage);
    expect(written.mock.calls).toEqual([['error: no such thing\n       Name another.\n       (USAGE)\n']]);
  } finally {
    written.mockRestore();
  }
});
