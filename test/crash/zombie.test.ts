import { expect, it } from 'vitest';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { CrashRun } from './crash-run.js';
import type { CrashTarget } from './crash-target.js';
import { crashTargets } from './targets/index.js';

const rounds = Number(process.env['ROUNDS'] ?? 2);

it(`a runner that was stopped (SIGSTOP) and overtaken changes nothing when it wakes, ${rounds} times`, {
  timeout: 120_000 + rounds * 30_000,
}, async () => {
  const random = SeededRandom.fromEnvironment('zombies');
  const targets: CrashTarget[] = [];
  try {
    for (const name of ['redis', 'postgres', 'kafka']) {
      const start = crashTargets.get(name);
      if (start !== undefined) targets.push(await start());
    }
    await using run = await CrashRun.start(targets, random);
    const lowest = async (): Promise<number> => (await run.positions())[0] ?? 0;
    const moves = async (): Promise<void> => {
      const before = await lowest();
      await waitUntil('every target moves on', async () => (await lowest()) > before, 60_000);
    };
    let current = run.runner;
    for (let round = 0; round < rounds; round++) {
      await moves();
      // Wherever it is: with luck in the middle of a write.
      await new Promise((resolve) => setTimeout(resolve, random.below(100)));
      current.freeze();
      const successor = run.makeRunner();
      successor.start();
      await moves();
      current.thaw();
      expect(await current.ended()).toContain('SINK_FENCED');
      await moves();
      expect(successor.failure).toBeUndefined();
      current = successor;
    }
    await run.finish(current);
  } finally {
    for (const target of targets) await target[Symbol.asyncDispose]();
  }
});
