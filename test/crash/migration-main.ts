import process from 'node:process';
import { startRedis, startRedisCluster } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { crashMigration, startServe } from './migration-run.js';

/** Migrations into a Redis, and by commands into a cluster of three masters, half of the kills each. */
export const runMigrations = async (kills: number, seed: number): Promise<void> => {
  const random = new SeededRandom(seed);
  const redis = await startRedis();
  const cluster = await startRedisCluster();
  try {
    for (const [name, ports, way] of [
      ['a Redis', [redis.port], 'records'],
      ['a cluster of three masters', cluster.ports, 'commands'],
    ] as const) {
      console.log(
        `migration by ${way} into ${name}, ${Math.ceil(kills / 2)} kills of the migrator, seed ${seed}`,
      );
      const source = await startServe(way);
      try {
        const tally = await crashMigration(source, ports, Math.ceil(kills / 2), random.fork());
        console.log(`${JSON.stringify(tally)}: the target holds exactly what the source holds`);
      } finally {
        await source.stop();
      }
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    await redis.stop();
    await cluster.stop();
  }
};
