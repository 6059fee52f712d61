import { expect, it } from 'vitest';
import { SeededRandom } from '../support/seeded-random.js';
import { crash } from './crash-run.js';
import type { CrashTarget } from './crash-target.js';
import { crashTargets } from './targets/index.js';

/** How often the runner, which has a pipeline for each sink, is killed, among other faults. KILLS=1000 is the long setting. */
const kills = Number(process.env['KILLS'] ?? 30);

it(`every sink holds exactly what the source holds after ${kills} kills of the runner, and faults of all else`, {
  timeout: kills * 20_000 + 600_000,
}, async () => {
  const random = SeededRandom.fromEnvironment('kills and faults');
  const targets: CrashTarget[] = [];
  try {
    for (const start of crashTargets.values()) targets.push(await start());
    const { tally, commands } = await crash(targets, kills, random);
    console.log(`${commands} commands acknowledged, ${JSON.stringify(tally)}`);
    expect(commands).toBeGreaterThan(kills * 50);
  } finally {
    for (const target of targets) await target[Symbol.asyncDispose]();
  }
});
