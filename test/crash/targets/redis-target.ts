import { RespConnection } from '../../../src/kit/index.js';
import { startRedis } from '../../services/index.js';
import type { CrashTarget } from '../crash-target.js';
import { readState, requireSameState } from '../source-truth.js';

/** A Redis that syncs each write: what it acknowledged survives its kill -9. */
export const startRedisTarget = async (): Promise<CrashTarget> => {
  const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  return {
    name: 'redis',
    port: redis.port,
    fencing: 'epoch',
    sinkEntry: (port) => ({ sink: 'redis', url: `redis://127.0.0.1:${port}` }),
    killAndRestart: () => redis.killAndRestart(),
    position: async () => {
      const connection = await RespConnection.open({ host: '127.0.0.1', port: redis.port });
      const sequence = await connection.call('HGET', 'tailrace:crash-redis:position', 'sequence');
      connection.close();
      return Number(sequence ?? 0);
    },
    verify: async ({ state }) => requireSameState(await readState(redis.port), state),
    [Symbol.asyncDispose]: () => redis.stop(),
  };
};
