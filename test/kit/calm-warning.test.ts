import { expect, it } from 'vitest';
import { CalmWarning, type Logger } from '../../src/kit/index.js';

it('warns at once, when the reason changes, and ever less often while it stays the same', () => {
  const warned: string[] = [];
  const ignore = (): void => undefined;
  const log: Logger = {
    debug: ignore,
    info: ignore,
    warn: (message, fields) => void warned.push(`${nowMs} ${message} ${fields?.['reason']}`),
    error: ignore,
  };
  let nowMs = 0;
  const warning = new CalmWarning(log, () => nowMs);
  for (; nowMs <= 220_000; nowMs += 1_000)
    warning.warn('not there', { reason: nowMs === 2_000 ? 'loading' : 'refused' });
  expect(warned).toEqual([
    '0 not there refused',
    '2000 not there loading',
    '3000 not there refused',
    '8000 not there refused',
    '18000 not there refused',
    '38000 not there refused',
    '78000 not there refused',
    '138000 not there refused',
    '198000 not there refused',
  ]);
});
