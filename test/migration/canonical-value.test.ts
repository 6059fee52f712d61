import { expect, it } from 'vitest';
import type { Change } from '../../src/data-model/index.js';
import { placeOf } from '../../src/migration/index.js';
import { wholeImage } from '../../src/migration/key-image.js';
import { canonicalValue } from '../../src/migration/verify/canonical-value.js';

const key = Buffer.from('k');
const facts = { seq: 0, index: 0, ns: 'default', key } as const;
const canonical = (changes: readonly Change[]) =>
  canonicalValue(wholeImage(placeOf('default', key), changes));
const bitmap = (offset: number, value: Buffer, size?: number): Change => ({
  ...facts,
  op: 'put',
  type: 'bitmap',
  offset,
  value,
  size,
});

it('a large bitmap in pieces is the same as the string that a Redis has of it, and as no other', () => {
  const string = Buffer.alloc(3 * 1024 * 1024);
  string[2] = 7;
  string.fill(9, 2 * 1024 * 1024, 2 * 1024 * 1024 + 5000);
  const asString = canonical([{ ...facts, op: 'put', type: 'string', value: string, ttlAt: undefined }]);
  const pieces = (last: number): Change[] => [
    bitmap(0, string.subarray(0, 3)),
    bitmap(2 * 1024 * 1024, string.subarray(2 * 1024 * 1024, 2 * 1024 * 1024 + 2048)),
    bitmap(2 * 1024 * 1024 + 2048, string.subarray(2 * 1024 * 1024 + 2048, last)),
  ];
  const end = 2 * 1024 * 1024 + 5000;
  expect(canonical([...pieces(end), bitmap(0, Buffer.alloc(0), string.length)])).toEqual(asString);
  expect(canonical([...pieces(end - 1), bitmap(0, Buffer.alloc(0), string.length)])).not.toEqual(asString);
  expect(canonical([...pieces(end), bitmap(0, Buffer.alloc(0), string.length + 1)])).not.toEqual(asString);
});

it('a large bitmap is the same in whatever order its pieces come: a store has 10240 before 2048', () => {
  const string = Buffer.alloc(2 * 1024 * 1024, 3);
  const offsets = Array.from({ length: string.length / 1024 }, (_, at) => at * 1024);
  const piece = (offset: number): Change => bitmap(offset, string.subarray(offset, offset + 1024));
  const byText = offsets.map(String).sort().map(Number);
  expect(byText).not.toEqual(offsets);
  const asString = canonical([{ ...facts, op: 'put', type: 'string', value: string, ttlAt: undefined }]);
  expect(canonical(byText.map(piece))).toEqual(asString);
});

it('the largest bitmap with a bit at its end takes no memory to speak of', () => {
  const far = bitmap(536_870_911, Buffer.of(1));
  expect(canonical([far])).toEqual(canonical([bitmap(0, Buffer.alloc(0)), far]));
});

it('holds little of a large collection, and tells it from every other all the same', () => {
  const names = Array.from({ length: 50_000 }, (_, at) => `field ${at}`);
  const hash = (fields: readonly string[], changed = -1): string =>
    canonical(
      fields.map((name) => ({
        ...facts,
        op: 'put',
        type: 'hash',
        field: Buffer.from(name),
        value: Buffer.from(name === `field ${changed}` ? 'x' : `of ${name}`),
      })),
    ).text;
  const list = (values: readonly string[]): string =>
    canonical(
      values.map((value) => ({
        ...facts,
        op: 'push',
        type: 'list',
        side: 'tail',
        value: Buffer.from(value),
      })),
    ).text;
  const stream = (ids: readonly string[]): string =>
    canonical(
      ids.map((id, at) => ({
        ...facts,
        op: 'put',
        type: 'stream',
        id: `${at}-1`,
        fields: [key, Buffer.from(id)],
      })),
    ).text;
  for (const text of [hash(names), list(names), stream(names)]) expect(text.length).toBeLessThan(1_000);
  const turned = names.toReversed();
  expect(hash(turned)).toBe(hash(names));
  expect(list(turned)).not.toBe(list(names));
  expect(stream(turned)).not.toBe(stream(names));
  expect(hash(names, 49_999)).not.toBe(hash(names));
  expect(hash(names.slice(1))).not.toBe(hash(names));
  expect(list([...names.slice(0, -1), 'x'])).not.toBe(list(names));
});
