import type { SeededRandom } from '../seeded-random.js';
import { index, type Maker, maybe, some } from './words.js';

const bit = (random: SeededRandom): string => `${random.below(2)}`;
const bitmapKey = (random: SeededRandom): string => `bits${random.below(4)}`;
const bitOffset = (random: SeededRandom): string =>
  random.pick([`${random.below(40)}`, `${8000 + random.below(600)}`, `${random.below(20_000)}`]);
const bitRange = (random: SeededRandom): string[] =>
  maybe(random, index(random), index(random), ...maybe(random, random.pick(['BYTE', 'BIT'])));

/** Bitmaps, which are strings to Redis. BITFIELD has keys of its own: Kvrocks' fields lie in other bits. */
export const bitmaps: readonly Maker[] = [
  (r) => ['SETBIT', bitmapKey(r), bitOffset(r), bit(r)],
  (r) => ['SETBIT', bitmapKey(r), bitOffset(r), '1'],
  (r) => ['SETBIT', bitmapKey(r), r.pick(['-1', '4294967296', 'x']), '1'],
  (r) => ['GETBIT', bitmapKey(r), bitOffset(r)],
  (r) => ['GET', bitmapKey(r)],
  (r) => ['BITCOUNT', bitmapKey(r), ...bitRange(r)],
  (r) => ['BITPOS', bitmapKey(r), bit(r), ...bitRange(r)],
  (r) => ['BITOP', r.pick(['AND', 'OR', 'XOR']), bitmapKey(r), ...some(r, bitmapKey)],
  (r) => ['BITOP', 'NOT', bitmapKey(r), bitmapKey(r)],
  (r) => (r.below(10) === 0 ? ['DEL', bitmapKey(r)] : ['EXISTS', bitmapKey(r)]),
  (r) => [
    'BITFIELD',
    'fields',
    ...maybe(r, 'OVERFLOW', r.pick(['WRAP', 'SAT', 'FAIL'])),
    ...some(r, () => [
      r.pick(['SET', 'INCRBY']),
      r.pick(['u8', 'i5', 'i64', 'u63', 'u1', 'i64']),
      `${r.pick(['#', ''])}${r.below(30)}`,
      `${r.below(300) - 100}`,
    ]).flat(),
    'GET',
    'i7',
    bitOffset(r),
  ],
];

const sketch = (random: SeededRandom): string => `hll${random.below(3)}`;

export const hyperLogLogs: readonly Maker[] = [
  (r) => ['PFADD', sketch(r), ...some(r, () => `element${r.below(5000)}`, 30)],
  (r) => ['PFADD', sketch(r), r.bytes(r.below(30))],
  (r) => ['PFCOUNT', ...some(r, sketch)],
  (r) => ['PFMERGE', sketch(r), ...some(r, sketch)],
  (r) => (r.below(20) === 0 ? ['DEL', sketch(r)] : ['PFCOUNT', sketch(r)]),
];
