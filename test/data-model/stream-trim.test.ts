import { describe, expect, it } from 'vitest';
import { CommandClient } from '../support/command-client.js';
import { countWalks } from '../support/counted-walks.js';
import { SeededRandom } from '../support/seeded-random.js';

const streamOf = (entries: number): CommandClient => {
  const client = new CommandClient();
  for (let i = 1; i <= entries; i++) client.run('XADD', 'x', `${i}-0`, 'f', `v${i}`);
  return client;
};

/** What XINFO STREAM tells: length, first and last id. */
const edgesOf = (client: CommandClient): unknown[] => {
  const facts = client.run('XINFO', 'STREAM', 'x') as unknown[];
  const fact = (name: string): unknown => facts[facts.indexOf(name) + 1];
  return [fact('length'), fact('first-entry'), fact('last-entry')];
};

describe('a stream', () => {
  it('is trimmed in one walk over what goes, however much that is', () => {
    for (const trim of [
      ['MAXLEN', '100'],
      ['MINID', '901'],
    ]) {
      const client = streamOf(1_000);
      const counts = countWalks(client.store);
      expect(client.run('XTRIM', 'x', ...trim)).toBe(900);
      expect(counts.begun).toBeLessThan(4);
      expect(counts.steps).toBeLessThan(2_000);
      expect(edgesOf(client)).toEqual([100, ['901-0', ['f', 'v901']], ['1000-0', ['f', 'v1000']]]);
    }
  });

  it('tells its first and last entry whichever are deleted', () => {
    const random = SeededRandom.fromEnvironment('stream-trim');
    for (let round = 0; round < 30; round++) {
      const client = streamOf(20);
      let left = Array.from({ length: 20 }, (_, i) => i + 1);
      while (left.length > 0) {
        const ends = random.below(3);
        const gone = left.filter((id) =>
          ends === 0 ? id > 15 : ends === 1 ? id < left[0] + 3 : random.below(3) === 0,
        );
        if (gone.length === 0) continue;
        expect(client.run('XDEL', 'x', ...gone.map((id) => `${id}-0`))).toBe(gone.length);
        left = left.filter((id) => !gone.includes(id));
        const entry = (id: number | undefined): unknown =>
          id === undefined ? null : [`${id}-0`, ['f', `v${id}`]];
        expect(edgesOf(client)).toEqual([left.length, entry(left[0]), entry(left.at(-1))]);
      }
    }
  });
});
