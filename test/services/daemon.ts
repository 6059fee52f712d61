import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

/** A server process with throw-away data on loopback, which its starter owns. */
export interface Daemon {
  readonly process: ChildProcess;
  /** Ends it by `signal` (SIGTERM) and waits until it is gone. Its data stays for a restart. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface DaemonOptions {
  readonly uid?: number;
  readonly gid?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Spawns a server and waits until `isReady` answers true; a server that exits first is an error with its output. */
export const startDaemon = async (
  command: string,
  parameters: readonly string[],
  isReady: () => Promise<boolean>,
  options: DaemonOptions = {},
): Promise<Daemon> => {
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  running.add(child);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
    child.once('error', (error) => {
      output += error.message;
      running.delete(child);
      resolve();
    });
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!(await isReady())) {
    if (!running.has(child)) throw new Error(`${command} ended before it was ready:\n${output}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${command} was not ready after ${startTimeoutMs} ms:\n${output}`);
    }
    await delay(20);
  }
  return {
    process: child,
    end: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await exited;
    },
  };
};

/** Only ends a hang: a broker that starts beside twenty busy processes takes more than a minute. */
const startTimeoutMs = 180_000;

// A test run that is interrupted must not leave servers behind.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A loopback port that was free a moment ago; below those that the system gives to outgoing connections, of which
 * other tests open many.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (port !== refusedByFetch && (await canListen(port)) && (await isOurs(port))) return port;
  }
};

/**
 * Keeps the port from every other process that looks for one here, until this one ends: by listening on it at another
 * loopback address. A server takes seconds from when its port was chosen until it listens on it.
 */
const isOurs = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const claim = createServer();
    claim.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    claim.listen(port, '127.0.0.2', () => resolve(true));
    claim.unref();
  });

/** Of the range above, the one port that browsers, and so `fetch`, do not talk to. */
const refusedByFetch = 10_080;

/** Whether nobody listens on a loopback port. */
export const canListen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

export const acceptsConnections = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** A new folder under the system's temporary directory, and how to remove it. */
export const throwAwayDirectory = (name: string): { path: string; remove(): void } & Disposable => {
  const path = mkdtempSync(join(tmpdir(), `tailrace-${name}-`));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  return { path, remove, [Symbol.dispose]: remove };
};
