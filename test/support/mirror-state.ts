import type pg from 'pg';
import type { RedisKeyState } from './redis-state.js';

/**
 * What the tables of a mirror say of each key of the default namespace, in the form of a Redis' state; of a stream its
 * groups without the last id.
 */
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
  await addGroups(state, rowsOf);
  if (elements.size > 0) throw new Error(`elements without a collection: ${[...elements.keys()].join(', ')}`);
  return state;
};

type RowsOf = <Row extends object>(table: string, order?: string) => Promise<(Row & Keyed)[]>;

const addGroups = async (state: Map<string, RedisKeyState>, rowsOf: RowsOf): Promise<void> => {
  const consumers = await rowsOf<Named & { consumer: Bytes }>('stream_consumers', 'consumer');
  const pending = await rowsOf<Named & { ms: string; seq: string; consumer: Bytes; deliveries: string }>(
    'stream_pending',
    'ms, seq',
  );
  const groups = await rowsOf<Named & { last_ms: string; last_seq: string }>('stream_groups', 'group_name');
  for (const row of [...consumers, ...pending])
    if (!groups.some((group) => isOf(group)(row)))
      throw new Error(`${latin1(row.key)} has no group ${latin1(row.group_name)}`);
  for (const [key, facts] of state) {
    if (facts.type !== 'stream') continue;
    const ids = new Set((facts.value as [string, unknown][]).map(([id]) => id));
    const own = groups.filter((group) => latin1(group.key) === key);
    const shown = own.map((group) => ({
      name: latin1(group.group_name),
      lastDelivered: `${group.last_ms}-${group.last_seq}`,
      consumers: consumers.filter(isOf(group)).map(({ consumer }) => latin1(consumer)),
      // As of a Redis: those of entries that are there.
      pending: pending
        .filter(isOf(group))
        .map(({ ms, seq, consumer, deliveries }) => [`${ms}-${seq}`, latin1(consumer), Number(deliveries)])
        .filter(([id]) => ids.has(String(id))),
    }));
    state.set(key, { ...facts, groups: shown });
  }
};

const isOf =
  (group: Keyed & Named) =>
  (row: Keyed & Named): boolean =>
    latin1(row.key) === latin1(group.key) && latin1(row.group_name) === latin1(group.group_name);

type Bytes = Buffer | string;
interface Named {
  readonly group_name: Bytes;
}
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
