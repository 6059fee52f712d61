import { TailraceError } from '../errors/index.js';

/** The column families of a store, by id, as Kvrocks numbers and names them. What each holds is the data model's affair. */
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
