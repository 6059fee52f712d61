import { connect } from 'node:net';
import { type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { ensurePrograms } from './tools.js';

export interface RedisService {
  readonly url: string;
  readonly port: number;
  /** Process id of the server as it runs now. */
  readonly pid: number;
  /** Ends the server by SIGKILL and starts it again on the same port and data. */
  killAndRestart(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A real redis-server on a free loopback port. `settings` are redis.conf words, such as `['--appendonly', 'yes']`. */
export const startRedis = async (
  settings: readonly string[] = [],
  password?: string,
): Promise<RedisService> => {
  ensurePrograms(['redis-server', 'redis-cli']);
  const directory = throwAwayDirectory('redis');
  const port = await freePort();
  const parameters = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    directory.path,
    '--save',
    '',
    ...settings,
  ];
  if (password !== undefined) parameters.push('--requirepass', password);
  const start = (): Promise<Daemon> => startDaemon('redis-server', parameters, () => answersPing(port));
  let daemon = await start();
  const kill = (): Promise<void> => daemon.end('SIGKILL');
  const restart = async (): Promise<void> => {
    daemon = await start();
  };
  return {
    url: password === undefined ? `redis://127.0.0.1:${port}` : `redis://:${password}@127.0.0.1:${port}`,
    port,
    get pid() {
      return daemon.process.pid ?? 0;
    },
    kill,
    restart,
    killAndRestart: async () => {
      await kill();
      await restart();
    },
    stop: async () => {
      await daemon.end();
      directory.remove();
    },
  };
};

/** True when the server speaks: a PONG, or the demand for a password; not while it is loading its data. */
const answersPing = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(/^(\+PONG|-NOAUTH)/.test(data.toString()));
    });
    socket.once('error', () => resolve(false));
  });
