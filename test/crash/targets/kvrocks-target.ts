import { join } from 'node:path';
import { RespConnection } from '../../../src/kit/index.js';
import { freePort, throwAwayDirectory } from '../../services/index.js';
import { waitUntil } from '../../support/wait-until.js';
import type { CrashTarget } from '../crash-target.js';
import { readState, requireSameState } from '../source-truth.js';
import { TailraceProcess } from '../tailrace-process.js';

/** Another `tailrace serve`, to which whole batches go. */
export const startKvrocksTarget = async (): Promise<CrashTarget> => {
  const directory = throwAwayDirectory('crash-kvrocks');
  const port = await freePort();
  const listen = ['--listen', `127.0.0.1:${port}`, '--sync', 'always'];
  const server = new TailraceProcess(
    ['serve', '--dir', join(directory.path, 'store'), ...listen],
    directory.path,
  );
  const position = async (): Promise<number> => {
    const connection = await RespConnection.open({ host: '127.0.0.1', port });
    const text = String(await connection.call('GET', 'tailrace:crash-kvrocks:position'));
    connection.close();
    return Number(text.split(' ')[2] ?? 0);
  };
  const answers = (): Promise<boolean> =>
    position().then(
      () => true,
      () => false,
    );
  server.start();
  await waitUntil('the target answers', answers);
  return {
    name: 'kvrocks',
    port,
    fencing: 'epoch',
    sinkEntry: (proxyPort) => ({ sink: 'kvrocks', url: `redis://127.0.0.1:${proxyPort}` }),
    killAndRestart: async () => {
      await server.killAndRestart();
      await waitUntil('the target answers', answers);
    },
    position,
    verify: async ({ state }) => {
      if (server.failure !== undefined) throw new Error(server.failure);
      requireSameState(await readState(port), state);
    },
    [Symbol.asyncDispose]: async () => {
      await server.kill();
      directory.remove();
    },
  };
};
