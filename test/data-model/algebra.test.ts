import { expect, it } from 'vitest';
import { CommandClient } from '../support/command-client.js';
import { countWalks } from '../support/counted-walks.js';
import { SeededRandom } from '../support/seeded-random.js';

it('combines sets and sorted sets as members one by one tell', () => {
  const random = SeededRandom.fromEnvironment('algebra');
  for (let round = 0; round < 40; round++) {
    const client = new CommandClient();
    const keys = Array.from({ length: 1 + random.below(4) }, (_, i) => `k${i}`);
    const scores = keys.map(() => new Map<string, number>());
    const isSet = keys.map(() => random.below(3) === 0);
    for (const [i, key] of keys.entries())
      for (let left = random.below(30); left > 0; left--) {
        const member = `m${random.below(25)}`;
        const score = isSet[i] ? 1 : random.below(9);
        if (isSet[i]) client.run('SADD', key, member);
        else client.run('ZADD', key, `${score}`, member);
        scores[i].set(member, score);
      }
    const words = [`${keys.length}`, ...keys];
    const names = [...new Set(scores.flatMap((of) => [...of.keys()]))].sort();
    const sumOf = (name: string): number => scores.reduce((sum, of) => sum + (of.get(name) ?? 0), 0);
    const inOrder = (members: readonly string[]): unknown[] =>
      [...members]
        .sort((a, b) => sumOf(a) - sumOf(b) || (a < b ? -1 : 1))
        .flatMap((name) => [name, `${sumOf(name)}`]);
    const common = names.filter((name) => scores.every((of) => of.has(name)));
    const others = scores.slice(1);
    const rest = names.filter((name) => scores[0].has(name) && others.every((of) => !of.has(name)));
    expect(client.run('ZUNION', ...words, 'WITHSCORES')).toEqual(inOrder(names));
    expect(client.run('ZINTER', ...words, 'WITHSCORES')).toEqual(inOrder(common));
    expect(new Set(client.run('ZDIFF', ...words) as string[])).toEqual(new Set(rest));
    for (const limit of [0, 1, 3]) {
      const count = limit === 0 ? common.length : Math.min(limit, common.length);
      expect(client.run('ZINTERCARD', ...words, 'LIMIT', `${limit}`)).toBe(count);
      if (isSet.every(Boolean)) expect(client.run('SINTERCARD', ...words, 'LIMIT', `${limit}`)).toBe(count);
    }
    if (!isSet.every(Boolean)) continue;
    expect(client.run('SUNION', ...keys)).toEqual(names);
    expect(client.run('SINTER', ...keys)).toEqual(common);
    expect(client.run('SDIFF', ...keys)).toEqual(rest);
  }
});

it('looks up the members of the smaller input, and does not read the larger ones', () => {
  const client = new CommandClient();
  client.run('ZADD', 'few', '1', 'a', '2', 'm7', '3', 'z');
  for (let i = 0; i < 500; i++) client.run('ZADD', 'many', `${i}`, `m${i}`);
  const counts = countWalks(client.store);
  expect(client.run('ZINTER', '2', 'many', 'few', 'WITHSCORES')).toEqual(['m7', '9']);
  expect(client.run('ZDIFF', '2', 'few', 'many')).toEqual(['a', 'z']);
  expect(client.run('ZINTERCARD', '2', 'many', 'few')).toBe(1);
  expect(counts.steps).toBeLessThan(20);
});
