import { describe, expect, it } from 'vitest';
import { commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { CommandTransaction } from '../../src/data-model/commands/command-transaction.js';
import { Database } from '../../src/data-model/commands/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { CommandClient, plainReply } from '../support/command-client.js';
import { SeededRandom } from '../support/seeded-random.js';

const commandCount = Number(process.env['COMMANDS'] ?? 8_000);
const keys = ['z', 'y'];

const randomCommand = (random: SeededRandom): string[] => {
  const key = random.pick(keys);
  const score = (): string =>
    random.pick(['-inf', '-2.5', '-0', '0', '1', '2', '7', '+inf', `${random.below(9)}`]);
  const member = (): string => `m${random.below(12)}`;
  const bound = (): string => (random.below(3) === 0 ? '(' : '') + score();
  const limit = random.below(2) === 0 ? [] : ['LIMIT', `${random.below(3)}`, `${random.below(4) - 1}`];
  switch (random.below(13)) {
    case 0:
    case 1:
    case 2:
      return ['ZADD', key, score(), member()];
    case 3:
      return ['ZINCRBY', key, random.pick(['-3', '0', '4']), member()];
    case 4:
      return ['ZREM', key, member(), member()];
    case 5:
      return ['ZPOPMIN', key, `${random.below(3)}`];
    case 6:
      return ['ZPOPMAX', key];
    case 7:
      return ['ZRANGEBYSCORE', key, bound(), bound(), 'WITHSCORES', ...limit];
    case 8:
      return ['ZREVRANGEBYSCORE', key, bound(), bound(), ...limit];
    case 9:
      return ['ZCOUNT', key, bound(), bound()];
    case 10:
      return ['ZREMRANGEBYSCORE', key, bound(), score()];
    case 11:
      return [random.pick(['ZRANGE', 'ZREVRANGE']), key, `${random.below(5) - 3}`, `${random.below(5) - 3}`];
    default:
      return random.pick([
        ['DEL', key],
        ['RENAME', key, random.pick(keys)],
        ['ZRANGESTORE', key, 'z', '0', '5'],
      ]);
  }
};

describe('what is known of where a sorted set begins and ends', () => {
  it('never changes an answer', () => {
    const random = SeededRandom.fromEnvironment('edges of sorted sets');
    const knowing = new CommandClient();
    const forgetful = new CommandClient();
    for (let done = 0; done < commandCount; done++) {
      const words = randomCommand(random);
      forgetful.services.knownKeys.forgetAll();
      const expected = forgetful.run(...words);
      const told = `command ${done}: ${words.join(' ')}`;
      if (random.below(12) > 0) expect(knowing.run(...words), told).toEqual(expected);
      else {
        const transaction = new CommandTransaction(knowing.store, knowing.services);
        const command = dataCommands.get(words[0].toLowerCase());
        if (command === undefined) throw new Error(`no command ${words[0]}`);
        const reply = transaction.run(
          command,
          words.map((word) => Buffer.from(word)),
        );
        expect(plainReply(reply), told).toEqual(expected);
        if (transaction.batch.count > 0) knowing.store.commit(transaction.batch.finish());
      }
    }
  });

  it('lets a queue be served at the same cost, however much was taken from it before', async () => {
    const directory = throwAwayDirectory('edges');
    await using engine = await Engine.open(directory.path, { sync: 'none' });
    const database = new Database(engine, { services: commandServices() });
    for (let i = 0; i < 200; i++)
      await database.call(
        'ZADD',
        'queue',
        ...Array.from({ length: 200 }, (_, at) => [i * 100 + at, `m${i}:${at}`]).flat(),
      );
    const costOf = async (calls: number): Promise<number> => {
      const { user } = process.cpuUsage();
      for (let i = 0; i < calls; i++) {
        await database.call('ZPOPMIN', 'queue');
        await database.call('ZRANGEBYSCORE', 'queue', '-inf', '+inf', 'LIMIT', 0, 1);
        await database.call('ZPOPMAX', 'queue');
        await database.call('ZREVRANGEBYSCORE', 'queue', '+inf', '-inf', 'LIMIT', 0, 1);
      }
      return process.cpuUsage().user - user;
    };
    await costOf(200);
    const early = await costOf(200);
    await costOf(5_000);
    expect(await costOf(200)).toBeLessThan(early * 4 + 100_000);
    directory.remove();
  });
});
