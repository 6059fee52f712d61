import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { defaultRequestLimits, encodeCommand, RespConnection } from '../../src/resp/index.js';
import { Server, type ServerOptions } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { collectGarbage } from '../support/collect-garbage.js';
import { RawClient } from '../support/raw-client.js';
import { waitUntil } from '../support/wait-until.js';

describe('a server among clients that misbehave', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  let engine: Engine;
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    directory = throwAwayDirectory('hostile');
    engine = await Engine.open(directory.path, { sync: 'none' });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
    await engine.close();
    directory.remove();
  });

  const listen = async (options: Partial<ServerOptions>): Promise<void> => {
    server = await Server.listen(engine, { port: 0, ...options });
  };

  /** A client that never closes its side, whatever the server does. */
  const stubbornClient = (): Socket => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => socket.destroy());
    sockets.push(socket);
    return socket;
  };

  const ask = async (request: string, expected: string): Promise<string> => {
    const client = await RawClient.open(server.port);
    const reply = await client.ask(request, expected);
    client.close();
    return reply;
  };

  const infoField = async (name: string): Promise<string> => {
    const client = await RawClient.open(server.port);
    client.write('INFO\r\nQUIT\r\n');
    const text = (await client.readToEnd()).toString('latin1');
    return new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? 'absent';
  };

  it('keeps nothing of what is sent after a protocol error, and closes', async () => {
    await listen({});
    const socket = stubbornClient();
    socket.resume();
    socket.write('*abc\r\n');
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const flood = Buffer.alloc(1024 * 1024, 'x');
    const write = (error?: Error | null): void => {
      if (!error) socket.write(flood, write);
    };
    write();
    await waitUntil('the server closes it', () => server.connections === 0);
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
    expect(await ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
  });

  it('takes no more requests of a client that reads no replies, however small they are', async () => {
    await listen({ softOutputBytes: 1024, hardOutputBytes: 2 * 1024 * 1024 });
    const socket = stubbornClient();
    socket.pause();
    const chunk = Buffer.concat(Array.from({ length: 1_000 }, () => encodeCommand('SET', 'small', 'v')));
    const sentBytes = 64 * 1024 * 1024;
    for (let at = 0; at < sentBytes && socket.writableLength < sentBytes; at += chunk.length)
      socket.write(chunk);
    const client = await RawClient.open(server.port);
    const pings = 50;
    for (let i = 0; i < pings; i++) expect(await client.ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
    client.close();
    await waitUntil('no more of its requests are taken', async () => {
      const sequence = engine.sequence;
      for (let i = 0; i < 20; i++) await ask('PING\r\n', '+PONG\r\n');
      return sequence > 0 && engine.sequence === sequence;
    });
    expect(engine.sequence).toBeLessThan(sentBytes / encodeCommand('SET', 'small', 'v').length);
    expect(socket.writableLength).toBeGreaterThan(0);
  });

  it('gets rid of refused clients, also those that talk on and never close', async () => {
    await listen({ maxClients: 0 });
    const socket = stubbornClient();
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('PING\r\n');
    await waitUntil('the refusal arrives', () => text !== '');
    expect(text).toBe('-ERR max number of clients reached\r\n');
    await server.close(); // would wait for ever for a connection that nobody closes
  });

  it('tells a client why it is refused also where that has sent much before it reads', async () => {
    await listen({ maxClients: 0 });
    const client = await RawClient.open(server.port);
    client.socket.pause();
    await new Promise((resolve) => client.socket.write(Buffer.alloc(8 * 1024 * 1024, 'PING\r\n'), resolve));
    client.socket.resume();
    expect((await client.readToEnd()).toString()).toBe('-ERR max number of clients reached\r\n');
  });

  it.each(['POST', 'GET', 'PUT'])(
    'carries out nothing that a page lets a browser send: %s',
    async (method) => {
      await listen({});
      const client = await RawClient.open(server.port);
      client.write(`${method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nSET k v\r\n`);
      expect((await client.readToEnd()).toString()).not.toMatch('OK');
      expect(await ask('EXISTS k\r\n', ':0\r\n')).toBe(':0\r\n');
    },
  );

  it('lets nobody without the password fill its memory', async () => {
    await listen({ password: 'secret' });
    for (const [request, reply] of [
      ['*11\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
      ['*2\r\n$4\r\nAUTH\r\n$20000\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
    ] as const) {
      const client = await RawClient.open(server.port);
      client.write(request);
      expect((await client.readToEnd()).toString('latin1')).toBe(reply);
    }
    const client = await RawClient.open(server.port);
    expect(await client.ask('AUTH secret\r\n', '+OK\r\n')).toBe('+OK\r\n');
    const large = encodeCommand('SET', 'large', Buffer.alloc(100_000));
    expect(await client.ask(large, '+OK\r\n')).toBe('+OK\r\n');
    client.close();
  });

  it('keeps no more of a transaction than a request may hold', async () => {
    await listen({ request: { ...defaultRequestLimits, requestBytes: 100_000 } });
    const client = await RawClient.open(server.port);
    client.write('MULTI\r\n');
    for (let i = 0; i < 3; i++) client.write(encodeCommand('SET', `k${i}`, Buffer.alloc(49_000)));
    client.write('EXEC\r\nDBSIZE\r\n');
    const expected =
      '+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR the transaction is larger than a request may be\r\n-EXECABORT Transaction discarded because of previous errors.\r\n:0\r\n';
    expect((await client.read(expected.length)).toString('latin1')).toBe(expected);
    client.close();
  });

  it('kills a client that is held, and answers one that kills itself', async () => {
    await listen({ softOutputBytes: 1024 });
    const held = stubbornClient();
    held.pause();
    held.write('CLIENT SETNAME held\r\n');
    held.write(Buffer.concat(Array.from({ length: 400_000 }, () => Buffer.from('PING\r\n'))));
    await waitUntil('it has a name', async () => (await clientList()).includes('name=held'));
    const id = /id=(\d+)[^\n]*name=held/.exec(await clientList())?.[1] ?? '';
    expect(await ask(`CLIENT KILL ID ${id}\r\n`, ':1\r\n')).toBe(':1\r\n');
    await waitUntil('it is gone', async () => !(await clientList()).includes('name=held'));
    const own = await RawClient.open(server.port);
    const address = `127.0.0.1:${own.socket.localPort}`;
    own.write(`CLIENT KILL ${address}\r\n`);
    expect((await own.readToEnd()).toString()).toBe('+OK\r\n');
  });

  it('reads little of what a client sends behind a command that waits', async () => {
    await listen({});
    const socket = stubbornClient();
    socket.resume();
    socket.write('CLIENT SETNAME talker\r\nBLPOP never 0\r\n');
    let isTaken = true;
    const echo = encodeCommand('ECHO', 'x'.repeat(1_000));
    const flood = Buffer.concat(Array.from({ length: 1_000 }, () => echo));
    for (let i = 0; i < 10; i++) isTaken = socket.write(flood);
    expect(isTaken).toBe(false);
    const watcher = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const buffered = async (): Promise<number> => {
      const line = String(await watcher.call('CLIENT', 'LIST'))
        .split('\n')
        .find((text) => text.includes('talker'));
      return Number(/qbuf=(\d+)/.exec(line ?? '')?.[1] ?? 0);
    };
    await waitUntil('it is no longer read', async () => (await buffered()) > 1024 * 1024);
    expect(await buffered()).toBeLessThan(2 * 1024 * 1024);
    await watcher.call('RPUSH', 'never', 'v');
    await waitUntil('all of it is served', () => socket.bytesRead > 10 * 1_000 * 1_000);
    watcher.close();
  });

  it('takes no client name that forges a line of CLIENT LIST', async () => {
    await listen({});
    const error = '-ERR Client names cannot contain spaces, newlines or special characters.\r\n';
    for (const request of ['HELLO 2 SETNAME "a\\nid=1"\r\n', 'CLIENT SETNAME "a b"\r\n'])
      expect(await ask(request, error)).toBe(error);
  });

  it('counts what it closed for protocol errors', async () => {
    await listen({});
    const client = await RawClient.open(server.port);
    client.write('*x\r\n');
    await client.readToEnd();
    expect(await infoField('protocol_errors')).toBe('1');
  });

  const clientList = async (): Promise<string> => {
    const client = await RawClient.open(server.port);
    client.write('CLIENT LIST\r\nQUIT\r\n');
    return (await client.readToEnd()).toString('latin1');
  };
});
