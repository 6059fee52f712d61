import { expect, it } from 'vitest';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';
import { CrashRun } from './crash-run.js';
import type { CrashTarget } from './crash-target.js';
import { crashTargets } from './targets/index.js';

/** Sinks that a successor takes over; SINKS=kafka for one of them. */
const sinks = (process.env['SINKS'] ?? 'redis,redis-cluster,kvrocks,postgres,postgres-mirror,kafka').split(
  ',',
);

it(`a runner that was stopped wakes after its successor took over, and changes nothing: ${sinks.join(', ')}`, {
  timeout: 600_000,
}, async () => {
  const targets: CrashTarget[] = [];
  for (const name of sinks) {
    const start = crashTargets.get(name);
    if (start === undefined) throw new Error(`there is no crash target ${name}`);
    targets.push(await start());
  }
  const run = await CrashRun.start(targets, SeededRandom.fromEnvironment('zombie'));
  const successor = run.makeRunner();
  const beyond = async (sequence: number, runner = run.runner): Promise<boolean> => {
    run.requireAlive(runner);
    const [lowest = 0] = await run.positions();
    return lowest > sequence;
  };
  try {
    await waitUntil('the first runner delivers', () => beyond(500));
    run.runner.freeze();
    // First the successor: a transaction that is open in Kafka when its producer freezes ends when that is overtaken.
    successor.start();
    const reached = Math.max(...(await run.positions()));
    await waitUntil('its successor delivers to every sink', () => beyond(reached + 500, successor));
    const ending = run.runner.ended();
    run.runner.thaw();
    expect(await ending).toContain('was claimed by another process');
    const [lowest = 0] = await run.positions();
    await waitUntil('the successor goes on', () => beyond(lowest + 500, successor));
    await run.finish(successor);
  } finally {
    await successor.kill();
    await run[Symbol.asyncDispose]();
    for (const target of targets) await target[Symbol.asyncDispose]();
  }
});
