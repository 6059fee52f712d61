import type { SeededRandom } from '../seeded-random.js';
import { count, type Maker, maybe, some, value } from './words.js';

const stream = (random: SeededRandom): string => `stream${random.below(3)}`;
const group = (random: SeededRandom): string => `g${random.below(2)}`;
const consumer = (random: SeededRandom): string => `c${random.below(3)}`;
const streamId = (random: SeededRandom): string => `${random.below(400)}-${random.below(3)}`;
/** Ids that mostly grow, so that most entries are taken. */
const newId = (random: SeededRandom, at: { ms: number }): string => {
  at.ms += random.below(3);
  return random.pick([`${at.ms}-*`, `${at.ms}-${random.below(9)}`, `${at.ms}`, '0-0', 'x-1']);
};
const rangeEnd = (random: SeededRandom): string =>
  random.pick(['-', '+', streamId(random), `(${streamId(random)}`, `${random.below(400)}`]);

/** Streams with groups. Times and delivery times are left out: the two clocks differ. */
export const streams = (): readonly Maker[] => {
  const at = { ms: 1 };
  return [
    (r) => ['XADD', stream(r), newId(r, at), 'f', value(r)],
    (r) => ['XADD', stream(r), ...maybe(r, 'MAXLEN', `${r.below(12)}`), newId(r, at), 'f', value(r), 'g', ''],
    (r) => ['XADD', stream(r), 'MINID', streamId(r), newId(r, at), 'f', 'v'],
    (r) => ['XADD', stream(r), 'NOMKSTREAM', newId(r, at), 'f', ...maybe(r, 'v')],
    (r) => ['XLEN', stream(r)],
    (r) => ['XRANGE', stream(r), rangeEnd(r), rangeEnd(r), ...maybe(r, 'COUNT', count(r))],
    (r) => ['XREVRANGE', stream(r), rangeEnd(r), rangeEnd(r), ...maybe(r, 'COUNT', count(r))],
    (r) => ['XRANGE', stream(r), '-', '+'],
    (r) => ['XDEL', stream(r), ...some(r, streamId)],
    (r) => ['XTRIM', stream(r), r.pick(['MAXLEN', 'MAXLEN =']).split(' ')[0] ?? '', `${r.below(12)}`],
    (r) => ['XTRIM', stream(r), 'MINID', '=', streamId(r)],
    (r) => ['XREAD', ...maybe(r, 'COUNT', '2'), 'STREAMS', stream(r), stream(r), streamId(r), '$'],
    (r) => [
      'XGROUP',
      'CREATE',
      stream(r),
      group(r),
      r.pick(['0', '$', streamId(r)]),
      ...maybe(r, 'MKSTREAM'),
    ],
    (r) => ['XGROUP', 'CREATECONSUMER', stream(r), group(r), consumer(r)],
    (r) => (r.below(4) === 0 ? ['XGROUP', 'DESTROY', stream(r), group(r)] : ['XLEN', stream(r)]),
    (r) =>
      r.below(4) === 0 ? ['XGROUP', 'DELCONSUMER', stream(r), group(r), consumer(r)] : ['XLEN', 'none'],
    (r) => ['XGROUP', 'SETID', stream(r), group(r), r.pick(['0', '$', streamId(r)])],
    (r) => [
      'XREADGROUP',
      'GROUP',
      group(r),
      consumer(r),
      ...maybe(r, 'COUNT', '2'),
      'STREAMS',
      stream(r),
      '>',
    ],
    (r) => ['XREADGROUP', 'GROUP', group(r), consumer(r), 'STREAMS', stream(r), r.pick(['0', streamId(r)])],
    (r) => ['XREADGROUP', 'GROUP', group(r), consumer(r), 'NOACK', 'COUNT', '1', 'STREAMS', stream(r), '>'],
    (r) => ['XACK', stream(r), group(r), ...some(r, streamId)],
    (r) => ['XPENDING', stream(r), group(r)],
    (r) => [
      ...['XPENDING', stream(r), group(r), ...maybe(r, 'IDLE', '0'), rangeEnd(r), rangeEnd(r), count(r)],
      ...maybe(r, consumer(r)),
    ],
    (r) => ['XPENDING', stream(r), group(r), 'IDLE', r.pick(['100000000', '-1']), '-', '+', '9', consumer(r)],
    (r) => ['XINFO', 'CONSUMERS', stream(r), group(r)],
    (r) => ['XCLAIM', stream(r), group(r), consumer(r), '0', ...some(r, streamId), ...maybe(r, 'JUSTID')],
    (r) => ['XCLAIM', stream(r), group(r), consumer(r), '0', streamId(r), 'FORCE'],
    (r) => [
      'XAUTOCLAIM',
      stream(r),
      group(r),
      consumer(r),
      '0',
      streamId(r),
      'COUNT',
      '5',
      ...maybe(r, 'JUSTID'),
    ],
    (r) => [
      'XCLAIM',
      stream(r),
      group(r),
      consumer(r),
      '0',
      streamId(r),
      'RETRYCOUNT',
      '7',
      'LASTID',
      streamId(r),
    ],
    (r) => ['XREAD', 'BLOCK', '1', 'COUNT', '3', 'STREAMS', stream(r), stream(r), streamId(r), '$'],
    (r) => [
      ...['XREADGROUP', 'GROUP', group(r), consumer(r), 'COUNT', '1', 'BLOCK', '1', 'STREAMS', stream(r)],
      ...[stream(r), '>', '>'],
    ],
    (r) => [
      'XSETID',
      stream(r),
      r.pick([streamId(r), '500-0']),
      ...maybe(r, 'ENTRIESADDED', `${r.below(30)}`, 'MAXDELETEDID', streamId(r)),
    ],
    (r) => ['XINFO', r.pick(['STREAM', 'GROUPS']), 'none'],
    (r) => (r.below(10) === 0 ? ['DEL', stream(r)] : ['EXISTS', stream(r)]),
    (r) => ['COPY', stream(r), stream(r), 'REPLACE'],
  ];
};
