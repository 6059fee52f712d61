import { sealDump } from '../../../src/data-model/commands/dump/dump-payload.js';
import type { DumpedValue } from '../../../src/data-model/commands/dump/dumped-value.js';
import { writeDumpedValue } from '../../../src/data-model/commands/dump/rdb-writer.js';
import type { SeededRandom } from '../seeded-random.js';
import { key, later, type Maker, maybe, score, some, value } from './words.js';

export const keys: readonly Maker[] = [
  (r) => ['DEL', ...some(r, key)],
  (r) => ['UNLINK', key(r)],
  (r) => ['EXISTS', ...some(r, key)],
  (r) => ['TYPE', key(r)],
  (r) => ['EXPIREAT', key(r), later(r), ...maybe(r, r.pick(['NX', 'XX', 'GT', 'LT', 'ZZ']))],
  (r) => ['PEXPIREAT', key(r), `${later(r)}123`],
  (r) => ['PEXPIREAT', key(r), `${later(r)}000`, r.pick(['NX', 'XX', 'GT', 'LT']), ...maybe(r, 'XX')],
  (r) => ['TOUCH', ...some(r, key)],
  (r) => [r.pick(['EXPIREAT', 'PEXPIREAT']), key(r), '1', ...maybe(r, r.pick(['NX', 'XX', 'GT', 'LT']))],
  (r) => ['COPY', key(r), key(r), 'DB', r.pick(['0', '0', 'x']), ...maybe(r, 'REPLACE')],
  (r) => ['EXPIRE', key(r), r.pick(['-1', '0', 'abc', '99999999999999999'])],
  (r) => ['PERSIST', key(r)],
  (r) => ['EXPIRETIME', key(r)],
  (r) => ['PEXPIRETIME', key(r)],
  (r) => ['RENAME', key(r), key(r)],
  (r) => ['RENAMENX', key(r), key(r)],
  (r) => ['COPY', key(r), key(r), ...maybe(r, 'REPLACE')],
  () => ['DBSIZE'],
  (r) => ['KEYS', r.pick(['*', 'k1*', 'k[0-3]', 'k?', '\\k1', 'k[^1]', 'x*'])],
  () => ['SCAN', '0', 'COUNT', '1000'],
  (r) => ['SCAN', '0', 'COUNT', '1000', 'TYPE', r.pick(['hash', 'list', 'set', 'zset'])],
  (r) => (r.below(40) === 0 ? ['FLUSHDB'] : ['EXISTS', key(r)]),
];

/** A value as DUMP tells it. */
const dumped = (random: SeededRandom): Buffer => {
  const names = [...new Set(some(random, () => `m${random.below(15)}`))].map((name) => Buffer.from(name));
  const values: readonly DumpedValue[] = [
    { type: 'string', value: Buffer.from(value(random)) },
    { type: 'list', elements: names },
    { type: 'set', members: names },
    { type: 'hash', fields: names.map((field) => ({ field, value: Buffer.from(value(random)) })) },
    { type: 'zset', members: names.map((name) => ({ member: name, score: Number(score(random)) })) },
  ];
  return sealDump(writeDumpedValue(random.pick(values)));
};

export const dumps: readonly Maker[] = [
  (r) => ['RESTORE', key(r), '0', dumped(r), ...maybe(r, 'REPLACE')],
  (r) => ['RESTORE', key(r), `${later(r)}123`, dumped(r), 'REPLACE', 'ABSTTL'],
  (r) => ['RESTORE', key(r), '1', dumped(r), 'REPLACE', 'ABSTTL'],
  (r) => ['EXISTS', key(r)],
];
