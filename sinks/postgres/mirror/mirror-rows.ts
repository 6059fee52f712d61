import type { Change, ValueType } from '../../../src/kit/index.js';

/** A row of a table of a mirror, by its columns. */
export type PartRow = Readonly<Record<string, unknown>>;

/** A table in which collections of a type have rows, and how these are read. */
export interface PartTable {
  readonly name: string;
  readonly columns: string;
  readonly order: string;
}

/** The tables that hold what collections of a type consist of; see `elementTables`, `listsTable` and `groupTables`. */
export const partTables = (type: ValueType): readonly PartTable[] => tables[type] ?? [];

const tables: Partial<Record<ValueType, readonly PartTable[]>> = {
  hash: [{ name: 'hashes', columns: 'field, value', order: 'key' }],
  set: [{ name: 'sets', columns: 'member', order: 'key' }],
  zset: [{ name: 'sorted_sets', columns: 'member, score', order: 'key' }],
  sortedint: [{ name: 'sorted_ints', columns: 'id::text', order: 'key' }],
  list: [{ name: 'lists', columns: 'value', order: 'key, position' }],
  bitmap: [{ name: 'bitmaps', columns: 'start, bytes', order: 'key, start' }],
  hyperloglog: [{ name: 'hyperloglogs', columns: 'segment, registers', order: 'key, segment' }],
  stream: [
    { name: 'streams', columns: 'ms::text, seq::text, fields', order: 'key, t.ms, t.seq' },
    {
      name: 'stream_groups',
      columns: 'group_name, last_ms::text, last_seq::text',
      order: 'key, group_name',
    },
    { name: 'stream_consumers', columns: 'group_name, consumer', order: 'key, group_name' },
    {
      name: 'stream_pending',
      columns: 'group_name, ms::text, seq::text, consumer',
      order: 'key, group_name',
    },
  ],
};

/** A collection of a mirror. */
export interface StoredCollection {
  readonly ns: string;
  readonly key: Buffer;
  readonly type: ValueType;
  /** Of a bitmap, in bytes. */
  readonly size: number;
  readonly rowsOf: (table: string) => readonly PartRow[];
}

/**
 * What makes a collection of a mirror from nothing. A stream's last id is told as that of its last entry: a mirror does not
 * hold it.
 */
export const changesOf = (collection: StoredCollection): Change[] => {
  const { ns, key, type, rowsOf } = collection;
  const base = { seq: 0, index: 0, ns, key };
  const rows = rowsOf(tables[type]?.[0].name ?? '');
  switch (type) {
    case 'hash':
      return rows.map(({ field, value }) => ({
        ...base,
        op: 'put',
        type,
        field: bytesOf(field),
        value: bytesOf(value),
      }));
    case 'set':
      return rows.map(({ member }) => ({ ...base, op: 'put', type, member: bytesOf(member) }));
    case 'zset':
      return rows.map(({ member, score }) => ({
        ...base,
        op: 'put',
        type,
        member: bytesOf(member),
        score: Number(score),
      }));
    case 'sortedint':
      return rows.map(({ id }) => ({ ...base, op: 'put', type, id: BigInt(String(id)) }));
    case 'list':
      return rows.map(({ value }) => ({ ...base, op: 'push', type, side: 'tail', value: bytesOf(value) }));
    case 'bitmap':
      return [bitmapOf(collection, rows)];
    case 'hyperloglog': {
      const puts = rows.map(({ segment, registers }): Change => {
        return { ...base, op: 'put', type, segment: Number(segment), value: bytesOf(registers) };
      });
      return puts.length > 0 ? puts : [{ ...base, op: 'put', type, segment: 0, value: Buffer.alloc(0) }];
    }
    case 'stream':
      return streamOf(collection);
    default:
      return [];
  }
};

/** In one piece: a fragment that came later may lie within a larger one. */
const bitmapOf = ({ ns, key, size }: StoredCollection, rows: readonly PartRow[]): Change => {
  const pieces = rows.map(({ start, bytes }) => ({ start: Number(start), bytes: bytesOf(bytes) }));
  const value = Buffer.alloc(Math.max(size, ...pieces.map(({ start, bytes }) => start + bytes.length)));
  for (const { start, bytes } of pieces) bytes.copy(value, start);
  return { seq: 0, index: 0, ns, key, op: 'put', type: 'bitmap', offset: 0, value, size: undefined };
};

const streamOf = ({ ns, key, rowsOf }: StoredCollection): Change[] => {
  const base = { seq: 0, index: 0, ns, key, type: 'stream' } as const;
  const meta = (...command: (string | Buffer)[]): Change => ({ ...base, op: 'streamMeta', command });
  const entries = rowsOf('streams').map(({ ms, seq, fields }) => ({
    ...base,
    op: 'put' as const,
    id: `${String(ms)}-${String(seq)}`,
    fields: (Array.isArray(fields) ? fields : []).map(bytesOf),
  }));
  return [
    ...entries,
    meta('XSETID', key, entries.at(-1)?.id ?? '0-0'),
    ...rowsOf('stream_groups').map((row) =>
      meta('XGROUP', 'CREATE', key, bytesOf(row['group_name']), `${row['last_ms']}-${row['last_seq']}`),
    ),
    ...rowsOf('stream_consumers').map((row) =>
      meta('XGROUP', 'CREATECONSUMER', key, bytesOf(row['group_name']), bytesOf(row['consumer'])),
    ),
    ...rowsOf('stream_pending').map((row) =>
      meta(
        'XCLAIM',
        key,
        bytesOf(row['group_name']),
        bytesOf(row['consumer']),
        '0',
        `${row['ms']}-${row['seq']}`,
      ),
    ),
  ];
};

const bytesOf = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : Buffer.from(String(value)));
