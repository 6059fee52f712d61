import type { SeededRandom } from '../seeded-random.js';

/** A command of a random history, as its words. */
export type RandomCommand = readonly (string | Buffer)[];

export type Maker = (random: SeededRandom) => RandomCommand;

/** A few keys for all types, so that histories meet each other and the wrong type. */
export const key = (random: SeededRandom): string =>
  random.below(40) === 0 ? random.pick(oddKeys) : `k${random.below(12)}`;
/** Names with what protocols, patterns and notes in the log are made of. */
const oddKeys = ['', 'k 1', 'k\r\n1', 'k\u00001', 'kü*[1]', '{k}1', 'k'.repeat(300)];
export const member = (random: SeededRandom): string | Buffer =>
  random.below(20) === 0 ? random.bytes(random.below(6)) : `m${random.below(15)}`;
export const value = (random: SeededRandom): string | Buffer => {
  const kind = random.below(10);
  if (kind === 0) return random.bytes(random.below(40));
  if (kind === 1) return '';
  if (kind === 2 && random.below(20) === 0) return 'long '.repeat(random.below(1000));
  return kind < 6 ? `${random.below(2000) - 1000}` : `v${random.below(1000)}`;
};
export const index = (random: SeededRandom): string => `${random.below(16) - 8}`;
export const count = (random: SeededRandom): string => `${random.below(5)}`;
export const score = (random: SeededRandom): string => `${(random.below(64) - 32) / 4 || 0}`;
export const scoreBound = (random: SeededRandom): string =>
  random.pick(['-inf', '+inf', score(random), score(random), `(${score(random)}`]);
export const lexBound = (random: SeededRandom): string =>
  random.pick(['-', '+', `[m${random.below(15)}`, `(m${random.below(15)}`]);
export const some = <Item>(random: SeededRandom, make: (random: SeededRandom) => Item, most = 4): Item[] =>
  Array.from({ length: 1 + random.below(most) }, () => make(random));
/** A place or count as a client may give it: mostly near, now and then as far as 64 bits reach, or no number at all. */
export const anyPlace = (random: SeededRandom): string =>
  random.pick([
    index(random),
    index(random),
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
  ]);
/** How many to take at most: mostly few, now and then as many as 64 bits say, or one more. */
export const anyCount = (random: SeededRandom): string =>
  random.below(20) === 0 ? random.pick(['9223372036854775807', '9223372036854775808']) : count(random);
/** Waits that end at once. */
export const briefly = '0.001';
export const side = (random: SeededRandom): string => random.pick(['LEFT', 'right']);
export const later = (random: SeededRandom): string => `${4_000_000_000 + random.below(1000)}`;
export const maybe = <Item>(random: SeededRandom, ...items: Item[]): Item[] =>
  random.below(2) === 0 ? [] : items;
export const withCount = <Item>(items: readonly Item[]): (string | Item)[] => [`${items.length}`, ...items];
