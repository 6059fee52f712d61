import { count, key, type Maker, maybe, member, some } from './words.js';

export const sorts: readonly Maker[] = [
  (r) => ['SADD', 'numbers', ...some(r, () => (r.below(20) === 0 ? '' : `${r.below(40)}`))],
  (r) => ['RPUSH', 'words', ...some(r, member)],
  (r) => ['SET', `weight_${r.below(40)}`, `${r.below(100)}`],
  (r) => ['HSET', `object_${r.below(40)}`, 'name', `n${r.below(20)}`],
  (r) => ['SORT', 'numbers', ...maybe(r, 'DESC'), ...maybe(r, 'LIMIT', count(r), count(r))],
  () => ['SORT', 'numbers', 'BY', 'weight_*', 'GET', '#', 'GET', 'object_*->name'],
  (r) => ['SORT', 'numbers', 'ALPHA', ...maybe(r, 'DESC')],
  (r) => ['SORT', 'words', ...maybe(r, 'ALPHA'), ...maybe(r, 'STORE', 'sorted')],
  (r) => ['SORT', 'words', 'BY', 'nosort', 'LIMIT', '0', count(r)],
  (r) => ['SORT_RO', key(r), 'ALPHA', 'STORE', 'x'],
  () => ['LRANGE', 'sorted', '0', '-1'],
  () => ['LTRIM', 'words', '-20', '-1'],
];
