import { TailraceError } from '../errors/index.js';

/** The column families of a store, by id, as Kvrocks numbers and names them. */
export const ColumnFamily = {
  Default: 0,
  Metadata: 1,
  ZsetScore: 2,
  PubSub: 3,
  Propagate: 4,
  Stream: 5,
  Search: 6,
} as const;

export const columnFamilyNames: readonly string[] = [
  'default',
  'metadata',
  'zset_score',
  'pubsub',
  'propagate',
  'stream',
  'search',
];

export const unknownFamily = (id: number): TailraceError =>
  new TailraceError('COLUMN_FAMILY_UNKNOWN', `column family ${id} does not exist`, {
    context: { columnFamily: id },
    remedy: `The store has the column families 0 to ${columnFamilyNames.length - 1}.`,
  });
