import { expect, it } from 'vitest';
import { crashMigration } from '../crash/migration-run.js';
import { startKvrocks, startRedis, startRedisCluster } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';

const kills = Number(process.env['KILLS'] ?? 4);
const timeout = kills * 20_000 + 300_000;

it(`a Kvrocks migrated to a Redis under writes is the same after ${kills} kills of the migrator`, {
  timeout,
}, async () => {
  const random = SeededRandom.fromEnvironment('migration of a Kvrocks to a Redis');
  const [source, redis] = await Promise.all([startKvrocks(), startRedis()]);
  try {
    const tally = await crashMigration(source, [redis.port], kills, random, 'commands');
    expect(tally.migratorKills).toBe(kills);
  } finally {
    await Promise.all([source.stop(), redis.stop()]);
  }
});

it(`a Kvrocks migrated to a cluster of three masters is the same after ${kills} kills of the migrator`, {
  timeout,
}, async () => {
  const random = SeededRandom.fromEnvironment('migration of a Kvrocks to a cluster');
  const [source, cluster] = await Promise.all([startKvrocks(), startRedisCluster()]);
  try {
    const tally = await crashMigration(source, cluster.ports, kills, random, 'commands');
    expect(tally.migratorKills).toBe(kills);
  } finally {
    await Promise.all([source.stop(), cluster.stop()]);
  }
});

it(`a Kvrocks migrated to another Kvrocks is the same after ${kills} kills of the migrator`, {
  timeout,
}, async () => {
  const random = SeededRandom.fromEnvironment('migration of a Kvrocks to a Kvrocks');
  const [source, target] = await Promise.all([startKvrocks(), startKvrocks()]);
  try {
    const tally = await crashMigration(source, [target.port], kills, random, 'commands');
    expect(tally.migratorKills).toBe(kills);
  } finally {
    await Promise.all([source.stop(), target.stop()]);
  }
});
