import { expect, it } from 'vitest';
import {
  areShortWords,
  locateWord,
  type WordPlace,
  writeWord,
} from '../../src/data-model/key-records/element-word.js';

const lengths = [0, 1, 9, 10, 47, 62, 63, 64, 65, 127, 128, 999, 4096, 65_536];

it('words that are written one behind the other are found again, of any length', () => {
  const source = Buffer.from(Array.from({ length: 65_600 }, (_, at) => (at * 7) % 256));
  const target = Buffer.alloc(200_000);
  let end = 0;
  for (const length of lengths) end = writeWord(target, end, source, 3, 3 + length);
  const place: WordPlace = { start: 0, end: 0, next: 0 };
  for (const length of lengths) {
    const before = place.next;
    expect(locateWord(target, place.next, end, place)).toBe(true);
    expect(target.subarray(place.start, place.end).equals(source.subarray(3, 3 + length))).toBe(true);
    expect(areShortWords(target, before, place.next)).toBe(length < 64);
    // Cut short anywhere it is none.
    for (const limit of [before, before + 1, place.end - 1, place.next - 1])
      expect(locateWord(target, before, limit, { start: 0, end: 0, next: 0 }), `${length}`).toBe(false);
  }
  expect(place.next).toBe(end);
});

it.each([
  '',
  '00',
  '80',
  '8000',
  '8002',
  '836162630',
  '8361626303',
  '8361626305',
  'c0610000',
  'e00161',
  'f0',
  'f0000000',
  'f001000000',
  'f0ffffffff61',
  '3f61',
])('what is no whole word is not taken for one: %s', (hex) => {
  const bytes = Buffer.from(hex, 'hex');
  expect(locateWord(bytes, 0, bytes.length, { start: 0, end: 0, next: 0 })).toBe(false);
});
