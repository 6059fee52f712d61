import { expect, it } from 'vitest';
import { SeededRandom } from '../support/seeded-random.js';
import { crash } from './crash-run.js';
import type { CrashTarget } from './crash-target.js';
import { startFileTarget } from './targets/file-target.js';
import { startRedisTarget } from './targets/redis-target.js';

const kills = Number(process.env['KILLS'] ?? 6);

it(`the sinks of one pipeline each hold exactly what the source holds after ${kills} kills, whatever befalls the others`, {
  timeout: kills * 20_000 + 600_000,
}, async () => {
  const random = SeededRandom.fromEnvironment('several sinks');
  const targets: CrashTarget[] = [];
  try {
    for (const start of [startRedisTarget, startFileTarget, startFileTarget]) targets.push(await start());
    // The name under which the redis target looks for the position.
    const { tally, commands } = await crash(targets, kills, random, undefined, 'crash-redis');
    console.log(`${commands} commands acknowledged, ${JSON.stringify(tally)}`);
    expect(commands).toBeGreaterThan(kills * 50);
  } finally {
    for (const target of targets) await target[Symbol.asyncDispose]();
  }
});
