import { expect, it } from 'vitest';
import { progressBar } from '../../src/cli/migration/progress-text.js';

it.each([
  [200, '[============            ] 50%'],
  [80, '[====    ] 50%'],
  [40, '50%'],
])('a terminal of %i columns has room for the figures behind the bar', (columns, shown) => {
  expect(progressBar(0.5, columns)).toBe(shown);
});
