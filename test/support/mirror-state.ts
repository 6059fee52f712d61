import type pg from 'pg';
import type { RedisKeyState } from './redis-state.js';

/** What the tables of a mirror say of each key of the default namespace, in the form of a Redis' state; without groups. */
export const readMirrorState = async (
  database: pg.Client,
  schema: string,
): Promise<Map<string, RedisKeyState>> => {
  const state = new Map<string, RedisKeyState>();
  const rowsOf = async <Row extends object>(table: string, order = ''): Promise<(Row & Keyed)[]> =>
    (
      await database.query<Row & Keyed>(
        `SELECT * FROM ${schema}.${table} WHERE ns = 'default' ${order === '' ? '' : `ORDER BY ${order}`}`,
      )
    ).rows;
  const add = (key: Bytes, type: string, expiresAt: Date | null, value: unknown): void => {
    if (state.has(latin1(key))) throw new Error(`the key ${latin1(key)} stands in several tables`);
    state.set(latin1(key), { type, pexpireat: expiresAt === null ? null : expiresAt.getTime(), value });
  };
  for (const row of await rowsOf<{ value: Bytes; expires_at: Date | null }>('strings'))
    add(row.key, 'string', row.expires_at, latin1(row.value));
  for (const row of await rowsOf<{ document: unknown; expires_at: Date | null }>('json'))
    add(row.key, 'ReJSON-RL', row.expires_at, row.document);
  const elements = new Map<string, unknown[]>();
  const collect = (type: string, key: Bytes, element: unknown): void => {
    const name = `${type} ${latin1(key)}`;
    elements.set(name, [...(elements.get(name) ?? []), element]);
  };
  for (const row of await rowsOf<{ field: Bytes; value: Bytes }>('hashes'))
    collect('hash', row.key, [latin1(row.field), latin1(row.value)]);
  for (const row of await rowsOf<{ member: Bytes }>('sets')) collect('set', row.key, latin1(row.member));
  for (const row of await rowsOf<{ member: Bytes; score: number }>('sorted_sets'))
    collect('zset', row.key, [latin1(row.member), row.score]);
  for (const row of await rowsOf<{ id: string }>('sorted_ints')) collect('sortedint', row.key, row.id);
  for (const row of await rowsOf<{ value: Bytes }>('lists', 'position'))
    collect('list', row.key, latin1(row.value));
  for (const row of await rowsOf<{ ms: string; seq: string; fields: Bytes[] }>('streams', 'ms, seq'))
    collect('stream', row.key, [`${row.ms}-${row.seq}`, row.fields.map(latin1)]);
  for (const row of await rowsOf<{ start: string; bytes: Buffer }>('bitmaps', 'start'))
    collect('bitmap', row.key, { start: Number(row.start), bytes: row.bytes });
  for (const row of await rowsOf<{ segment: number; registers: Buffer }>('hyperloglogs', 'segment'))
    collect('hyperloglog', row.key, [row.segment, row.registers.toString('hex')]);
  for (const row of await rowsOf<{ type: string; expires_at: Date | null; size: string | null }>(
    'collections',
  )) {
    const name = `${row.type} ${latin1(row.key)}`;
    const found = elements.get(name) ?? [];
    elements.delete(name);
    add(row.key, row.type, row.expires_at, collected(row.type, found, Number(row.size ?? 0)));
  }
  if (elements.size > 0) throw new Error(`elements without a collection: ${[...elements.keys()].join(', ')}`);
  return state;
};

type Bytes = Buffer | string;
interface Keyed {
  readonly key: Bytes;
}

const latin1 = (bytes: Bytes): string => Buffer.from(bytes).toString('latin1');

const collected = (type: string, elements: readonly unknown[], size: number): unknown => {
  if (type === 'bitmap') return bitmapOf(elements as readonly { start: number; bytes: Buffer }[], size);
  if (type === 'hash' || type === 'zset')
    return (elements as readonly [string, unknown][]).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return type === 'set' ? (elements as readonly string[]).toSorted() : elements;
};

const bitmapOf = (fragments: readonly { start: number; bytes: Buffer }[], size: number): string => {
  const ends = fragments.map(({ start, bytes }) => start + bytes.length);
  const whole = Buffer.alloc(Math.max(size, ...ends, 0));
  for (const { start, bytes } of fragments) bytes.copy(whole, start);
  return whole.toString('latin1');
};
