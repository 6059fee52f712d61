import { expect, it } from 'vitest';
import { startRedis, startRedisCluster } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { crashMigration, startServe } from './migration-run.js';

/** Few, for the sake of time; `npm run crash -- --migrate --kills 100` is the long setting. */
const kills = Number(process.env['KILLS'] ?? 4);
const timeout = kills * 20_000 + 300_000;

it(`a store migrated to a Redis under writes is the same after ${kills} kills of the migrator`, {
  timeout,
}, async () => {
  const random = SeededRandom.fromEnvironment('migration to a Redis');
  const [source, redis] = await Promise.all([startServe(), startRedis()]);
  try {
    const tally = await crashMigration(source, [redis.port], kills, random);
    expect(tally.migratorKills).toBe(kills);
    expect(tally.commands).toBeGreaterThan(kills * 20);
  } finally {
    await Promise.all([source.stop(), redis.stop()]);
  }
});

it(`a store migrated to a cluster of three masters by commands is the same after ${kills} kills of the migrator`, {
  timeout,
}, async () => {
  const random = SeededRandom.fromEnvironment('migration to a cluster');
  const [source, cluster] = await Promise.all([startServe('commands'), startRedisCluster()]);
  try {
    const tally = await crashMigration(source, cluster.ports, kills, random);
    expect(tally.migratorKills).toBe(kills);
  } finally {
    await Promise.all([source.stop(), cluster.stop()]);
  }
});
