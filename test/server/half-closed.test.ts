import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Server } from '../../src/server/index.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const pem = (name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url)));

describe('a client that closes its side once it has sent all', () => {
  const served = useServer('half-closed', { engine: { sync: 'always' } });
  let secure: Server;
  beforeAll(async () => {
    const tls = { cert: pem('server.pem'), key: pem('server.key') };
    secure = await Server.listen(served.engine, { port: 0, tls });
  });
  afterAll(() => secure.close());

  const open: Readonly<Record<string, () => Socket>> = {
    plain: () => connect({ port: served.server.port, host: '127.0.0.1', allowHalfOpen: true }),
    TLS: () =>
      connectTls({
        socket: connect({ port: secure.port, host: '127.0.0.1', allowHalfOpen: true }),
        ca: pem('ca.pem'),
        host: '127.0.0.1',
      }),
  };

  /** All that is answered until the server closes. */
  const answered = async (socket: Socket, requests: string): Promise<string> => {
    const chunks: Buffer[] = [];
    socket.end(requests);
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  };

  /** The timer that the system runs for a connection of the port: `02` asks the peer now and then whether it is there. */
  const timersOf = (port: number): string[] => {
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const rows = readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .map((row) => row.trim().split(/\s+/));
    return rows
      .filter(([, at, , state]) => at?.endsWith(local) && state === '01')
      .map((row) => String(row[5]?.slice(0, 2)));
  };

  it.each(['plain', 'TLS'])('is asked whether it is still there: %s', async (kind) => {
    const socket = open[kind]?.();
    const port = kind === 'TLS' ? secure.port : served.server.port;
    await new Promise((resolve) => {
      socket?.once('data', resolve);
      socket?.write('PING\r\n');
    });
    await waitUntil('each connection has its timer', () => timersOf(port).every((timer) => timer === '02'));
    expect(timersOf(port)).not.toEqual([]);
    socket?.destroy();
  });

  it.each(['plain', 'TLS'])('gets every reply: %s', async (kind) => {
    await served.client.call('FLUSHALL');
    const socket = open[kind]();
    const requests = 'SET k v\r\nGET k\r\nDBSIZE\r\nFLUSHMEMTABLE\r\nINCR n\r\n';
    expect(await answered(socket, requests)).toBe('+OK\r\n$1\r\nv\r\n:1\r\n+OK\r\n:1\r\n');
    // More than it is read at once, and more than the server keeps unread.
    await served.client.call('SET', 'long', 'x'.repeat(1_000_000));
    const long = await answered(open[kind](), 'GET long\r\n'.repeat(40));
    expect(long.length).toBe(40 * (1_000_000 + '$1000000\r\n\r\n'.length));
  });

  it.each(['plain', 'TLS'])('is not waited for, nor kept: %s', async (kind) => {
    for (const request of ['BLPOP none 0\r\n', 'SUBSCRIBE c\r\n', 'MONITOR\r\n', 'MULTI\r\n'])
      await answered(open[kind](), request);
    const server = kind === 'TLS' ? secure : served.server;
    await waitUntil('they are gone', async () => server.connections === (kind === 'TLS' ? 0 : 1));
  });

  it('may leave before it has greeted by TLS', async () => {
    const socket = connect({ port: secure.port, host: '127.0.0.1', allowHalfOpen: true });
    expect(await answered(socket, '')).toBe('');
  });
});
