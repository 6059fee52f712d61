import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RespAddress, RespConnection } from '../../src/resp/index.js';

describe('a connection to a server of RESP', () => {
  let server: Server;
  let address: RespAddress;
  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    address = { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  });
  afterEach(() => {
    server.close();
  });

  it('lasts, whatever becomes of the signal of its opening, and however long an answer takes then', async () => {
    server.on('connection', (socket) => {
      socket.on('data', () => setTimeout(() => socket.write('+OK\r\n'), 400));
    });
    const opening = new AbortController();
    const connection = await RespConnection.open(address, { timeoutMs: 200, signal: opening.signal });
    opening.abort();
    expect(await connection.call('PING')).toBe('OK');
    connection.close();
  });

  it('tells everyone who waits that it was lost', async () => {
    server.on('connection', (socket) => socket.once('data', () => socket.destroy()));
    const connection = await RespConnection.open(address);
    const calls = await Promise.allSettled([connection.call('GET', 'a'), connection.call('GET', 'b')]);
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('is closed when its login is refused', async () => {
    const accepted = once(server, 'connection');
    const opening = RespConnection.open({ ...address, password: 'wrong' });
    const refused = expect(opening).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    const [socket] = (await accepted) as [Socket];
    socket.on('data', () => socket.write('-WRONGPASS no\r\n'));
    const closed = once(socket, 'close');
    await refused;
    await closed;
  });
});
