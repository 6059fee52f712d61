import { expect, it } from 'vitest';
import { type BulkPlace, locateBulk, writeBulk } from '../../src/resp/index.js';

const lengths = [0, 1, 9, 10, 47, 48, 49, 99, 100, 999, 1000, 65_536];

it('bulk strings that are written one behind the other are found again, of any length', () => {
  const source = Buffer.from(Array.from({ length: 65_600 }, (_, at) => (at * 7) % 256));
  const target = Buffer.alloc(200_000);
  let end = 0;
  for (const length of lengths) end = writeBulk(target, end, source, 3, 3 + length);
  const place: BulkPlace = { start: 0, end: 0, next: 0 };
  for (const length of lengths) {
    const text = `$${length}\r\n`;
    expect(target.toString('latin1', place.next, place.next + text.length)).toBe(text);
    expect(locateBulk(target, place.next, end, place)).toBe(true);
    expect(target.subarray(place.start, place.end).equals(source.subarray(3, 3 + length))).toBe(true);
  }
  expect(place.next).toBe(end);
});

it.each([
  '',
  '$',
  '$\r\n\r\n',
  '$3\r\nabc',
  '$3\r\nabc\r',
  '$3\r\nabcd\r\n',
  '$3\nabc\r\n',
  '$x\r\nabc\r\n',
  '$-1\r\n',
  '+3\r\nabc\r\n',
  '$99999999999999999999999\r\nabc\r\n',
])('what is no whole bulk string is not taken for one: %j', (text) => {
  const bytes = Buffer.from(text);
  expect(locateBulk(bytes, 0, bytes.length, { start: 0, end: 0, next: 0 })).toBe(false);
});
