import { describe, expect, it } from 'vitest';
import { Database } from '../../src/data-model/commands/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';

const count = 60_000;
const perCall = 1_000;
const numbers = Array.from({ length: perCall }, (_, at) => at);

/** Takes some of the first elements away. */
type Take = (database: Database, elements: number) => Promise<unknown>;

const takeFields: Take = async (database, elements) => {
  const [, found] = (await database.call('HSCAN', 'hash', 0, 'COUNT', elements)) as [string, string[]];
  await database.call('HDEL', 'hash', ...found.filter((_, at) => at % 2 === 0));
};

const takeKeys: Take = async (database, elements) => {
  const [, found] = (await database.call('SCAN', 0, 'COUNT', elements)) as [string, string[]];
  await database.call('DEL', ...found);
};

describe('what is drained from its beginning or its end', () => {
  it.each<[string, (from: number) => readonly (string | number)[], Take]>([
    [
      'a hash',
      (from) => ['HSET', 'hash', ...numbers.flatMap((at) => [`f${from + at}`, 'value'])],
      takeFields,
    ],
    ['the keys of a store', (from) => ['MSET', ...numbers.flatMap((at) => [`k${from + at}`, 'v'])], takeKeys],
    [
      'a sorted set, by its lowest scores',
      (from) => ['ZADD', 'queue', ...numbers.flatMap((at) => [from + at, `m${from + at}`])],
      (database, elements) => database.call('ZPOPMIN', 'queue', elements),
    ],
    [
      'a sorted set, by its highest scores',
      (from) => ['ZADD', 'queue', ...numbers.flatMap((at) => [from + at, `m${from + at}`])],
      (database, elements) => database.call('ZPOPMAX', 'queue', elements),
    ],
  ])('costs the same to read however much was taken away before: %s', async (_, fill, take) => {
    const directory = throwAwayDirectory('drained');
    await using engine = await Engine.open(directory.path, { sync: 'none' });
    const database = new Database(engine);
    for (let from = 0; from < count; from += perCall) {
      const [command, ...words] = fill(from);
      await database.call(String(command), ...words);
    }
    await engine.flush(); // what is taken away hides what lies in the trees
    const costOf = async (calls: number): Promise<number> => {
      const { user } = process.cpuUsage();
      for (let i = 0; i < calls; i++) await take(database, 1);
      return process.cpuUsage().user - user;
    };
    await costOf(200);
    const early = await costOf(200);
    for (let taken = 0; taken < (count * 5) / 6; taken += 500) await take(database, 500);
    expect(await costOf(200)).toBeLessThan(early * 4 + 100_000);
    directory.remove();
  });
});
