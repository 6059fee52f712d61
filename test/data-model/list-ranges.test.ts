import { expect, it } from 'vitest';
import { Database } from '../../src/data-model/commands/index.js';
import { Engine } from '../../src/engine/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

it('reads any range of a list, whichever layers its elements lie in', async () => {
  const random = SeededRandom.fromEnvironment('list-ranges');
  using directory = throwAwayDirectory('list-ranges');
  await using engine = await Engine.open(directory.path, { sync: 'none' });
  const database = new Database(engine);
  const expected: string[] = [];
  for (let round = 0; round < 30; round++) {
    const words = Array.from({ length: 1 + random.below(60) }, (_, i) => `${round}:${'x'.repeat(i)}`);
    const isLeft = random.below(2) === 0;
    await database.call(isLeft ? 'LPUSH' : 'RPUSH', 'l', ...words);
    if (isLeft) expected.unshift(...words.toReversed());
    else expected.push(...words);
    if (random.below(3) === 0) await database.call('RPUSH', 'm', 'another list');
    for (let left = random.below(20); left > 0 && expected.length > 1; left--) {
      const isFirst = random.below(2) === 0;
      expect(await database.call(isFirst ? 'LPOP' : 'RPOP', 'l')).toBe(
        isFirst ? expected.shift() : expected.pop(),
      );
    }
    if (random.below(4) === 0) await engine.flush();
    for (let i = 0; i < 5; i++) {
      const [first, last] = [random.below(expected.length), random.below(expected.length)];
      const range = ['LRANGE', 'l', first, last] as const;
      expect(await database.call(...range)).toEqual(expected.slice(first, last + 1));
      const [inTransaction] = await database.transaction([range]);
      expect(inTransaction).toEqual(expected.slice(first, last + 1));
    }
  }
  expect(await database.call('SORT', 'l', 'ALPHA')).toEqual([...expected].sort());
});
