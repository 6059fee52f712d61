import type { SeededRandom } from '../seeded-random.js';
import { type Maker, maybe, some } from './words.js';

const place = (random: SeededRandom): string => `p${random.below(30)}`;
/**
 * Not beyond the 90th degree: a search that crosses the 180th finds what lies there, in Redis it does not. With
 * decimals enough that no two places are the same: which of them is among the nearest is chance.
 */
const coordinate = (random: SeededRandom, limit: number): string =>
  ((random.next() * 2 - 1) * random.pick([limit, limit / 10])).toFixed(4 + random.below(3));
const unit = (random: SeededRandom): string => random.pick(['m', 'km', 'ft', 'MI']);
const area = (random: SeededRandom): string[] =>
  random.pick([
    ['BYRADIUS', `${random.below(3000)}`, 'km'],
    ['BYRADIUS', `${random.below(300_000)}`, unit(random)],
    ['BYBOX', `${random.below(4000)}`, `${random.below(4000)}`, 'km'],
  ]);

export const geos: readonly Maker[] = [
  (r) => ['GEOADD', 'geo', ...maybe(r, 'CH'), coordinate(r, 90), coordinate(r, 60), place(r)],
  (r) => [
    'GEOADD',
    'geo',
    coordinate(r, 90),
    coordinate(r, 60),
    place(r),
    r.pick([coordinate(r, 90), '190']),
    '1',
    place(r),
  ],
  (r) => ['GEOPOS', 'geo', ...some(r, place)],
  (r) => ['GEOHASH', 'geo', ...some(r, place)],
  (r) => ['GEODIST', 'geo', place(r), place(r), ...maybe(r, unit(r))],
  (r) => [
    'GEOSEARCH',
    'geo',
    'FROMMEMBER',
    place(r),
    ...area(r),
    r.pick(['ASC', 'DESC']),
    'WITHDIST',
    'WITHHASH',
  ],
  (r) => [
    ...['GEOSEARCH', 'geo', 'FROMLONLAT', coordinate(r, 90), coordinate(r, 60), ...area(r)],
    ...[r.pick(['ASC', 'DESC']), ...maybe(r, 'COUNT', `${1 + r.below(4)}`), 'WITHCOORD'],
  ],
  (r) => ['GEORADIUS', 'geo', coordinate(r, 90), coordinate(r, 60), `${r.below(2000)}`, 'km', 'ASC'],
  (r) => ['GEORADIUSBYMEMBER', 'geo', place(r), `${r.below(2000)}`, 'km', 'STORE', 'near'],
  (r) => ['GEOSEARCHSTORE', 'near', 'geo', 'FROMMEMBER', place(r), ...area(r)],
  (r) => [
    'GEORADIUS_RO',
    'geo',
    coordinate(r, 90),
    coordinate(r, 60),
    `${r.below(2000)}`,
    unit(r),
    'WITHDIST',
  ],
  (r) => ['GEORADIUSBYMEMBER', 'geo', place(r), `${r.below(2000)}`, 'km', 'WITHDIST', 'STORE', 'near'],
  () => ['ZRANGE', 'near', '0', '-1', 'WITHSCORES'],
];
