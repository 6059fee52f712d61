import { expect, it } from 'vitest';
import { describeChange } from '../../src/cli/describe-change.js';

it('tells a change in one line, scores in the words of Redis and bytes without what commands a terminal', () => {
  const change = { seq: 7, index: 0, ns: 'default', op: 'put', type: 'zset' } as const;
  const shown = (score: number): string =>
    describeChange({ ...change, key: Buffer.from('z\x1b[31m'), member: Buffer.from('a'), score });
  expect(shown(1.5)).toBe('put zset  "z\\x1b[31m"  member="a"  score=1.5');
  expect(shown(Number.POSITIVE_INFINITY)).toMatch(/ score=inf$/);
  expect(shown(Number.NEGATIVE_INFINITY)).toMatch(/ score=-inf$/);
});
