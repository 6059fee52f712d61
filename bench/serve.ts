import { acceptsConnections, freePort, startDaemon } from '../test/services/daemon.js';
import { program } from '../test/support/tailrace-program.js';

/** A `tailrace serve` as a process of its own. */
export interface Serve {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export const startServe = async (directory: string, sync = 'none'): Promise<Serve> => {
  const port = await freePort();
  const daemon = await startDaemon(
    process.execPath,
    [program, 'serve', '--quiet', '--dir', directory, '--listen', `127.0.0.1:${port}`, '--sync', sync],
    () => acceptsConnections(port),
  );
  return { port, pid: daemon.process.pid ?? 0, stop: () => daemon.end() };
};
