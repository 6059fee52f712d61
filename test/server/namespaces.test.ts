import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { Namespaces } from '../../src/server/namespaces.js';
import { throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('namespaces');
let engine: Engine;
let server: Server;

const start = async (): Promise<void> => {
  engine = await Engine.open(directory.path);
  const namespacesFile = join(directory.path, 'NAMESPACES');
  server = await Server.listen(engine, { port: 0, password: 'secret', namespacesFile });
};
const stop = async (): Promise<void> => {
  await server.close();
  await engine.close();
};
beforeAll(start);
afterAll(async () => {
  await stop();
  directory.remove();
});

const open = (password: string): Promise<RespConnection> =>
  RespConnection.open({ host: '127.0.0.1', port: server.port, password });

describe('namespaces', () => {
  it('are added, changed, listed and deleted in the words of Kvrocks', async () => {
    const admin = await open('secret');
    const ask = async (...words: string[]): Promise<unknown> =>
      replyText(await admin.call('NAMESPACE', ...words));
    expect(await ask('ADD', 'a', 'token-a')).toBe('OK');
    expect(await ask('ADD', 'a', 'token-a')).toBe('OK');
    expect(await ask('ADD', 'a', 'other')).toBe('ERR the namespace already exists');
    expect(await ask('ADD', 'b', 'token-a')).toBe('ERR the token already exists');
    expect(await ask('ADD', 'b', 'secret')).toBe(
      'ERR the token is duplicated with requirepass or masterauth',
    );
    expect(await ask('ADD', '__namespace', 't')).toBe('ERR forbidden to add the default namespace');
    expect(await ask('ADD', 'x'.repeat(256), 't')).toBe('ERR size exceed limit 255');
    expect(await ask('SET', 'b', 'token-b')).toBe('OK');
    expect(await ask('SET', 'b', 'token-a')).toBe('ERR the token already exists');
    expect(await ask('GET', 'b')).toBe('token-b');
    expect(await ask('GET', 'nosuch')).toBeNull();
    expect(await ask('GET', '*')).toEqual(['a', 'token-a', 'b', 'token-b', '__namespace', 'secret']);
    expect(await ask('DEL', 'b')).toBe('OK');
    expect(await ask('DEL', 'b')).toBe('ERR the namespace was not found');
    expect(await ask('DEL', '__namespace')).toBe('ERR forbidden to delete the default namespace');
    expect(await ask('CURRENT')).toBe('__namespace');
    expect(await ask('WHAT')).toBe('ERR NAMESPACE subcommand must be one of GET, SET, DEL, ADD');
    admin.close();
  });

  it('keep keys, flushes, channels and watches apart', async () => {
    const admin = await open('secret');
    await admin.call('NAMESPACE', 'SET', 'a', 'token-a');
    await admin.call('NAMESPACE', 'SET', 'b', 'token-b');
    const [a, b] = await Promise.all([open('token-a'), open('token-b')]);
    expect(replyText(await a.call('NAMESPACE', 'CURRENT'))).toBe('a');
    for (const [client, value] of [
      [admin, 'of all'],
      [a, 'of a'],
      [b, 'of b'],
    ] as const)
      await client.call('SET', 'k', value);
    await a.call('RPUSH', 'only-a', '1');
    expect([replyText(await a.call('GET', 'k')), replyText(await b.call('GET', 'k'))]).toEqual([
      'of a',
      'of b',
    ]);
    expect(replyText(await b.call('KEYS', '*'))).toEqual(['k']);
    expect([await a.call('DBSIZE'), await b.call('DBSIZE')]).toEqual([2, 1]);
    expect(replyText(await b.call('SCAN', '0'))).toEqual(['0', ['k']]);
    const waiting = b.call('BLPOP', 'l', 0);
    await a.call('RPUSH', 'l', 'in a');
    await waitUntil('b waits', async () =>
      /blocked_clients:1/.test(String(await admin.call('INFO', 'clients'))),
    );
    const b2 = await open('token-b');
    await b2.call('RPUSH', 'l', 'in b');
    expect(replyText(await waiting)).toEqual(['l', 'in b']);
    const subscriber = await RawClient.open(server.port);
    await subscriber.ask(
      'AUTH token-a\r\nSUBSCRIBE c\r\nPSUBSCRIBE *\r\n',
      '+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:2\r\n',
    );
    expect([await b.call('PUBLISH', 'c', 'm'), await a.call('PUBLISH', 'c', 'm')]).toEqual([0, 2]);
    const leaving = await RawClient.open(server.port);
    await leaving.ask('HELLO 3 AUTH default token-a\r\nSUBSCRIBE left\r\n', '%');
    await waitUntil('it listens too', async () => (await a.call('PUBLISH', 'left', 'm')) === 2);
    leaving.write('AUTH token-b\r\n');
    await waitUntil('it has left its channels', async () => (await a.call('PUBLISH', 'left', 'm')) === 1);
    expect(replyText(await a.call('PUBSUB', 'CHANNELS'))).toEqual(['c']);
    leaving.close();
    await a.call('FLUSHDB');
    expect([
      replyText(await a.call('GET', 'k')),
      replyText(await b.call('GET', 'k')),
      replyText(await admin.call('GET', 'k')),
    ]).toEqual([null, 'of b', 'of all']);
    subscriber.close();
    for (const client of [admin, a, b, b2]) client.close();
  });

  it('take keys from each other by MOVEX, whole and with their expiry', async () => {
    const admin = await open('secret');
    await admin.call('NAMESPACE', 'SET', 'a', 'token-a');
    await admin.call('NAMESPACE', 'SET', 'b', 'token-b');
    const [a, b] = await Promise.all([open('token-a'), open('token-b')]);
    await a.call('ZADD', 'moving', '1', 'one', '2', 'two');
    await a.call('PEXPIREAT', 'moving', '4000000000123');
    await b.call('SET', 'moving', 'is overwritten');
    expect(replyText(await a.call('MOVEX', 'moving', 'nosuch'))).toBe('ERR Invalid password');
    expect(await a.call('MOVEX', 'moving', 'token-b')).toBe(1);
    expect(await a.call('MOVEX', 'moving', 'token-b')).toBe(0);
    expect(replyText(await b.call('ZRANGE', 'moving', '0', '-1', 'WITHSCORES'))).toEqual([
      'one',
      '1',
      'two',
      '2',
    ]);
    expect(await b.call('PEXPIRETIME', 'moving')).toBe(4000000000123);
    expect(await a.call('EXISTS', 'moving')).toBe(0);
    await b.call('SET', 'text', 'v');
    expect(await b.call('MOVEX', 'text', 'secret')).toBe(1);
    expect(replyText(await admin.call('GET', 'text'))).toBe('v');
    for (const client of [admin, a, b]) client.close();
  });

  it('refuse to their tokens what is the administrator’s', async () => {
    const admin = await open('secret');
    await admin.call('NAMESPACE', 'SET', 'a', 'token-a');
    const a = await open('token-a');
    for (const words of [
      ['FLUSHALL'],
      ['POLLUPDATES', '0'],
      ['STREAMUPDATES', '0'],
      ['APPLYBATCH', 'x'],
      ['CONFIG', 'GET', '*'],
      ['MONITOR'],
      ['FLUSHMEMTABLE'],
      ['SLOWLOG', 'GET'],
      ['NAMESPACE', 'GET', '*'],
      ['CLIENT', 'PAUSE', '1'],
    ])
      expect([words, replyText(await a.call(...words))]).toEqual([
        words,
        'ERR admin permission required to perform the command',
      ]);
    expect(String(await a.call('CLIENT', 'LIST'))).not.toContain('namespace=__namespace');
    a.close();
    admin.close();
  });

  it('are there after a restart, their file readable for its owner alone, and close with their token', async () => {
    const admin = await open('secret');
    await admin.call('NAMESPACE', 'SET', 'kept', 'token-kept');
    admin.close();
    expect(statSync(join(directory.path, 'NAMESPACES')).mode & 0o777).toBe(0o600);
    await stop();
    await start();
    const again = await open('secret');
    const kept = await RawClient.open(server.port);
    expect(await kept.ask('AUTH token-kept\r\n', '+OK\r\n')).toBe('+OK\r\n');
    await again.call('NAMESPACE', 'SET', 'kept', 'changed');
    await waitUntil('the client of the old token is closed', () => kept.isClosed);
    await expect(open('token-kept')).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    again.close();
  });

  it('are read from what older versions wrote, and refused from a file in which anything was changed', () => {
    const path = join(directory.path, 'tokens');
    writeFileSync(path, '{\n  "token-a": "a",\n  "tokens": "b"\n}\n');
    const namespaces = new Namespaces(path);
    expect(namespaces.entries()).toEqual([
      ['a', 'token-a'],
      ['b', 'tokens'],
    ]);
    namespaces.set('c', 'token-c', 'secret');
    const content = readFileSync(path);
    expect(new Namespaces(path).entries()).toEqual(namespaces.entries());
    for (let at = 0; at < content.length; at++) {
      if (/\s/.test(content.toString('latin1', at, at + 1))) continue;
      const changed = Buffer.from(content);
      changed[at] ^= 1;
      writeFileSync(path, changed);
      expect(() => new Namespaces(path)).toThrow(
        expect.objectContaining({ code: 'STORE_CORRUPT', message: expect.stringContaining(path) }),
      );
    }
  });
});
