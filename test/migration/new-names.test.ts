import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { makeKeyReader, ServerConnection } from '../../src/migration/index.js';
import { type CommandArgument, parseRedisUrl, type Reply } from '../../src/resp/index.js';
import { MigrationEnds } from '../support/migration-ends.js';
import { openMigration } from './migration-setup.js';

let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('new-names');
});
afterAll(() => ends[Symbol.asyncDispose]());
beforeEach(() => ends.reset());

/** Does something once, before the first of the commands that have that name goes out. */
class InterruptedConnection extends ServerConnection {
  readonly #name: string;
  #work: (() => Promise<unknown>) | undefined;

  constructor(url: string, name: string, work: () => Promise<unknown>) {
    super(parseRedisUrl(url));
    this.#name = name;
    this.#work = work;
  }

  override async callAll(
    signal: AbortSignal,
    commands: readonly (readonly CommandArgument[])[],
  ): Promise<Reply[]> {
    const work = this.#work;
    if (work !== undefined && commands.some(([name]) => name === this.#name)) {
      this.#work = undefined;
      await work();
    }
    return await super.callAll(signal, commands);
  }
}

it('a key that is made among names that were scanned, while those before it are read, is copied', async () => {
  await Promise.all(Array.from({ length: 400 }, (_, at) => ends.source.set(`key:${1000 + at}`, 'v')));
  // All names are scanned at once, and read in several parts; this one is made in the first, and belongs to a later one.
  const connection = new InterruptedConnection(ends.sourceUrl, 'GET', () =>
    ends.source.rpush('key:1300:made', 'a', 'b'),
  );
  const signal = new AbortController().signal;
  const keys = await makeKeyReader(connection, signal, { usesRecords: false });
  await using run = await openMigration(ends.sourceUrl, ends.redis.url, ends.directory, {
    keys,
    part: { maxKeys: 1_000, maxBytes: 1024 * 1024 },
  });
  await run.migration.run(signal);
  expect(run.migration.status.parts).toBeGreaterThan(1);
  expect(await ends.target.lrange('key:1300:made', 0, -1)).toEqual(['a', 'b']);
  expect(await ends.target.dbsize()).toBe(402);
});
