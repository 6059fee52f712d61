import { expect, it } from 'vitest';
import { crashMigration, type MigratedSource } from '../crash/migration-run.js';
import { startKvrocks, startRedis, startRedisCluster } from '../services/index.js';
import { kvrocksCommands } from '../support/kvrocks-commands.js';
import { SeededRandom } from '../support/seeded-random.js';

/** KILLS=100 is the long setting. */
const kills = Number(process.env['KILLS'] ?? 4);
const timeout = kills * 20_000 + 300_000;

const startSource = async (): Promise<MigratedSource> => ({
  ...(await startKvrocks()),
  way: 'commands',
  commands: kvrocksCommands,
});

const targets = [
  ['a Redis', startRedis],
  ['a cluster of three masters', startRedisCluster],
  ['another Kvrocks', startKvrocks],
] as const;

it.each(targets)(
  `a Kvrocks migrated to %s under writes is the same there after ${kills} kills of the migrator`,
  {
    timeout,
  },
  async (name, startTarget) => {
    const random = SeededRandom.fromEnvironment(`migration of a Kvrocks to ${name}`);
    const source = await startSource();
    const target = await startTarget();
    try {
      const tally = await crashMigration(
        source,
        'ports' in target ? target.ports : [target.port],
        kills,
        random,
      );
      expect(tally.migratorKills).toBe(kills);
    } finally {
      await Promise.all([source.stop(), target.stop()]);
    }
  },
);
