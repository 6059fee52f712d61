import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { makeKeyReader, ServerConnection } from '../../src/migration/index.js';
import { type CommandArgument, parseRedisUrl, type Reply } from '../../src/resp/index.js';
import { dataStateOf } from '../support/data-state.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { openMigration } from './migration-setup.js';

let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('changing-type');
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

/** Commands that make a key of each type. */
const makers: Readonly<Record<string, (key: string) => readonly (readonly string[])[]>> = {
  string: (key) => [['SET', key, 'a string']],
  hash: (key) => [['HSET', key, 'f', '1', 'g', '2']],
  list: (key) => [['RPUSH', key, 'a', 'b', 'a']],
  set: (key) => [['SADD', key, 'x', 'y']],
  zset: (key) => [['ZADD', key, '1', 'a', '2', 'b']],
  stream: (key) => [['XADD', key, '1-1', 'f', 'v']],
  sortedint: (key) => [['SIADD', key, '1', '5']],
  none: () => [],
};

/** Commands that read a value, and so come behind the question for its type. */
const reads = new Set(['GET', 'STRLEN', 'HSCAN', 'SSCAN', 'ZRANGE', 'LRANGE', 'SIRANGE', 'XRANGE', 'XINFO']);

/** Makes another key of each that is read, between the question for its type and the first read of its value. */
class MeddlingConnection extends ServerConnection {
  readonly #meddle: (key: string) => Promise<void>;
  readonly #changed = new Set<string>();

  constructor(url: string, meddle: (key: string) => Promise<void>) {
    super(parseRedisUrl(url));
    this.#meddle = meddle;
  }

  override async callAll(
    signal: AbortSignal,
    commands: readonly (readonly CommandArgument[])[],
  ): Promise<Reply[]> {
    for (const [name, ...words] of commands) {
      const key = words.map(String).find((word) => word.includes(' becomes '));
      if (!reads.has(String(name)) || key === undefined || this.#changed.has(key)) continue;
      this.#changed.add(key);
      await this.#meddle(key);
    }
    return await super.callAll(signal, commands);
  }

  get changes(): number {
    return this.#changed.size;
  }
}

it('a key of every type that becomes one of every other while it is read arrives as what it became', async () => {
  const types = Object.keys(makers);
  const keys = types
    .filter((type) => type !== 'none')
    .flatMap((from) =>
      types.filter((to) => to !== from).map((to) => ({ from, to, key: `${from} becomes ${to}` })),
    );
  for (const { from, key } of keys)
    for (const [name, ...words] of makers[from](key)) await ends.source.call(name, ...words);
  const connection = new MeddlingConnection(ends.sourceUrl, async (changing) => {
    await ends.source.del(changing);
    const { to = 'none' } = keys.find(({ key }) => key === changing) ?? {};
    for (const [name, ...words] of makers[to](changing)) await ends.source.call(name, ...words);
  });
  const keyReader = await makeKeyReader(connection, new AbortController().signal, { usesRecords: false });
  await using copy = await openMigration(ends.sourceUrl, ends.redis.url, ends.directory, { keys: keyReader });
  await copy.migration.run(new AbortController().signal);
  expect(connection.changes).toBe(keys.length);
  expect(await dataStateOf(ends.redis.url)).toEqual(await dataStateOf(ends.sourceUrl));
});
