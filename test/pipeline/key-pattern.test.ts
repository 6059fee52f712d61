import { describe, expect, it } from 'vitest';
import { KeyPattern } from '../../src/pipeline/transform/key-pattern.js';

const capture = (pattern: string, key: string): Record<string, string> | undefined => {
  const found = new KeyPattern(pattern).capture(Buffer.from(key));
  return found && { ...found };
};

describe('patterns with captures', () => {
  it('end a capture as early as the rest allows, and let * take as much as it can', () => {
    expect(capture('{a}:{b}', 'x:y:z')).toEqual({ a: 'x', b: 'y:z' });
    expect(capture('{a}:{b}:end', 'x:y:end:end')).toEqual({ a: 'x', b: 'y:end' });
    expect(capture('*:{id}', 'x:y:z')).toEqual({ id: 'z' });
    expect(capture('{a}{b}', 'xyz')).toEqual({ a: 'x', b: 'yz' });
    expect(capture('{a}*{b}', 'xy')).toEqual({ a: 'x', b: 'y' });
    expect(capture('{a}[0-9]?', 'x1y2z')).toEqual({ a: 'x1y' });
  });

  it('want a byte for each capture, and all of the key', () => {
    expect(capture('user:{id}', 'user:')).toBeUndefined();
    expect(capture('{a}:{b}', ':x')).toBeUndefined();
    expect(capture('{a}', '')).toBeUndefined();
    expect(capture('user:', 'user:1')).toBeUndefined();
    expect(capture('a*', 'a')).toEqual({});
    expect(capture('\\*[^a]', '*b')).toEqual({});
  });

  it('take a name that comes again for what it captured', () => {
    expect(capture('{a}:{a}', 'x:y:x:y')).toEqual({ a: 'x:y' });
    expect(capture('{a}:{a}', 'x:y')).toBeUndefined();
  });

  it('tell a long key that does not match in little time, however many wildcards there are', () => {
    const key = 'a:'.repeat(10_000);
    const before = process.cpuUsage(); // of this process: how much others leave of the machine is not the pattern's matter
    for (const pattern of ['{a}:{b}:{c}:{d}:end', '*a*a*a*a?b', '{a}a*{b}:*a[b]', '{a}{b}{c}{d}*b'])
      expect(capture(pattern, key)).toBeUndefined();
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
  });
});
