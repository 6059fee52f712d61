import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
const [ca, cert, key, serverKey] = ['ca.pem', 'client.pem', 'client.key', 'server.key'].map(fixture);

describe('the address of a server', () => {
  it('has a port, a user, a password and a database, decoded', () => {
    expect(parseRedisUrl('redis://ada:p%40ss@[::1]:7000/3')).toEqual({
      host: '::1',
      port: 7000,
      username: 'ada',
      password: 'p@ss',
      database: 3,
    });
    expect(parseRedisUrl('redis://:own@host', 'given')).toEqual({
      host: 'host',
      port: 6379,
      password: 'given',
    });
  });

  it('names the files of TLS', () => {
    const { tls } = parseRedisUrl(`rediss://store.example?cacert=${ca}&cert=${cert}&key=${key}`);
    expect(typeof tls === 'function' && tls()).toEqual({
      servername: 'store.example',
      ca: expect.any(Buffer),
      cert: expect.any(Buffer),
      key: expect.any(Buffer),
    });
    expect(parseRedisUrl('rediss://127.0.0.1').tls).toEqual({});
  });

  it.each([
    [`rediss://host?cert=${cert}`, 'cert and key belong together'],
    [`rediss://host?cert=${cert}&key=${serverKey}`, 'the key is of another one'],
    [`rediss://host?cacert=${key}`, 'its files are no certificates'],
    ['rediss://host?cacert=/nowhere.pem', 'ENOENT'],
    [`redis://host?cacert=${ca}`, 'without TLS'],
    ['redis://host?db=3', 'it has a parameter db, and there are cacert, cert, key'],
    ['redis://host/x', 'no database number'],
    ['http://host', 'not redis:// or rediss://'],
    ['redis://', 'it names no host'],
    ['redis://a%zz@host', '%25'],
    ['host:6379', 'not redis:// or rediss://'],
  ])('is refused with the reason: %s', (text, reason) => {
    expect(() => parseRedisUrl(text)).toThrow(reason);
  });
});

describe('a connection', () => {
  it('says in words that nobody listens', async () => {
    await expect(RespConnection.open(parseRedisUrl('redis://127.0.0.1:1'))).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('cannot reach 127.0.0.1:1: connect ECONNREFUSED'),
    });
  });
});
