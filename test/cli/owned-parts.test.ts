import { expect, it } from 'vitest';
import { OwnedParts } from '../../src/cli/owned-parts.js';

it('ends what it owns in the opposite order of its making, each although another one fails, and each once', async () => {
  const ended: string[] = [];
  const part = (name: string, error?: Error): AsyncDisposable => ({
    [Symbol.asyncDispose]: async () => {
      ended.push(name);
      if (error !== undefined) throw error;
    },
  });
  const owned = new OwnedParts();
  owned.add(part('first'));
  owned.add(part('second', new Error('of the second')));
  owned.add(part('third', new Error('of the third')));
  await expect(owned[Symbol.asyncDispose]()).rejects.toThrow('of the third');
  await owned[Symbol.asyncDispose]();
  expect(ended).toEqual(['third', 'second', 'first']);
});
