import { expect, it } from 'vitest';
import { calledAs } from '../../src/cli/called-as.js';

it.each([
  ['/usr/local/bin/tailrace', 'tailrace'],
  ['/home/me/app/node_modules/.bin/tailrace', 'npx tailrace'],
  ['/home/me/app/node_modules/tailrace/bin/tailrace.js', 'npx tailrace'],
  ['/home/me/tailrace/bin/tailrace.js', 'node bin/tailrace.js'],
])('shows commands that can be copied, to whoever started %s', (script, words) => {
  expect(calledAs(script, '/home/me/tailrace')).toBe(words);
});
