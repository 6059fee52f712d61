import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { encodeCommand, ReplyParser } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { runProgram } from '../support/run-program.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('server');
let engine: Engine;
let server: Server;
const defects: unknown[] = [];
beforeAll(async () => {
  engine = await Engine.open(directory.path, { sync: 'none' });
  server = await Server.listen(engine, {
    port: 0,
    softOutputBytes: 1024 * 1024,
    hardOutputBytes: 256 * 1024 * 1024,
    onDefect: (error) => defects.push(error),
  });
});
afterAll(async () => {
  await server.close();
  await engine.close();
  directory.remove();
  expect(defects).toEqual([]);
});

const ask = async (request: string, expected: string): Promise<string> => {
  const client = await RawClient.open(server.port);
  const reply = await client.ask(request, expected);
  client.close();
  return reply;
};

describe('server', () => {
  it('is used by redis-cli, line by line and in bulk', async () => {
    const lines = await runProgram(
      'redis-cli',
      ['-p', `${server.port}`],
      'SET greeting "hello world"\nGET greeting\nHSET h a 1 b 2\nHGETALL h\nTTL greeting\nDEL greeting h\n',
    );
    expect(lines.stdout).toBe('OK\nhello world\n2\na\n1\nb\n2\n-1\n2\n');
    const commands = Array.from({ length: 5_000 }, (_, i) => encodeCommand('SET', `mass:${i}`, 'x'));
    const mass = await runProgram('redis-cli', ['-p', `${server.port}`, '--pipe'], Buffer.concat(commands));
    expect(mass.stdout).toContain('errors: 0, replies: 5000');
  });

  it('is used by redis-benchmark unmodified', async () => {
    const tests = 'ping,set,get,incr,lpush,rpop,sadd,hset,zadd,mset';
    const run = await runProgram('redis-benchmark', [
      '-p',
      `${server.port}`,
      '-t',
      tests,
      '-n',
      '2000',
      '-P',
      '8',
      '-q',
    ]);
    expect(run.status).toBe(0);
    expect(run.stdout.match(/requests per second/g)?.length).toBeGreaterThanOrEqual(8);
    expect(run.stdout + run.stderr).not.toMatch(/error/i);
  });

  it('is used by ioredis, with transactions and WATCH', async () => {
    const redis = new Redis({ port: server.port, host: '127.0.0.1' });
    const other = new Redis({ port: server.port, host: '127.0.0.1' });
    expect(await redis.set('n', '1', 'EX', 100)).toBe('OK');
    expect(await redis.ttl('n')).toBeGreaterThan(90);
    const before = engine.sequence;
    expect(await redis.multi().incr('n').hset('mh', 'f', 'v').get('n').exec()).toEqual([
      [null, 2],
      [null, 1],
      [null, '2'],
    ]);
    const iterator = engine.walIterator(before);
    expect(iterator.item.count).toBe(3); // one batch: the string, the field, the hash
    iterator.close();
    await redis.watch('n');
    await other.set('n', '10');
    expect(await redis.multi().incr('n').exec()).toBeNull();
    await redis.watch('n');
    expect(await redis.multi().incr('n').exec()).toEqual([[null, 11]]);
    await expect(redis.multi().incr('n').call('nosuch').exec()).rejects.toThrow(/EXECABORT/);
    expect(await redis.get('n')).toBe('11');
    redis.disconnect();
    other.disconnect();
  });

  it('breaks a transaction whose watched key expires before EXEC', async () => {
    const client = await RawClient.open(server.port);
    // One chunk of bytes, and time enough on a busy machine, so that the key is there when it is watched.
    await client.ask(
      'SET later v PX 100000\r\nSET brief v PX 300\r\nWATCH brief later\r\n',
      '+OK\r\n+OK\r\n+OK\r\n',
    );
    await waitUntil(
      'it has expired',
      async () => (await client.ask('EXISTS brief\r\n', ':0\r\n')) === ':0\r\n',
    );
    const transaction = 'MULTI\r\nSET brief new\r\nEXEC\r\n';
    for (const reply of ['*-1\r\n', '*1\r\n+OK\r\n']) {
      const expected = `+OK\r\n+QUEUED\r\n${reply}`;
      expect(await client.ask(transaction, expected)).toBe(expected);
    }
    client.close();
  });

  it('sends large replies as they were, though their memory is used again once they are sent', async () => {
    const values = ['a', 'b'].map((byte) => Buffer.alloc(7 * 1024 * 1024, byte));
    const [slow, quick] = await Promise.all([RawClient.open(server.port), RawClient.open(server.port)]);
    for (const [i, value] of values.entries())
      await quick.ask(encodeCommand('SET', `large${i}`, value), '+OK\r\n');
    const replies = values.map((value) => Buffer.concat([Buffer.from(`$${value.length}\r\n`), value]));
    const get = async (client: RawClient, i: number): Promise<boolean> =>
      (await client.read(replies[i].length + 2)).subarray(0, -2).equals(replies[i]);
    slow.socket.pause();
    slow.write('GET large0\r\n');
    for (let round = 0; round < 3; round++) {
      quick.write('GET large1\r\n');
      expect(await get(quick, 1)).toBe(true);
    }
    slow.socket.resume();
    expect(await get(slow, 0)).toBe(true);
    await quick.ask('DEL large0 large1\r\n', ':2\r\n');
    slow.close();
    quick.close();
  });

  it('counts and lists many keys in steps, in order with what comes behind', async () => {
    const redis = new Redis({ port: server.port, host: '127.0.0.1' });
    await redis.flushdb();
    for (let i = 0; i < 5; i++)
      await redis.mset(
        Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`many:${i}:${at}`, 'v'])),
      );
    const [size, , after, keys, inTransaction] = await Promise.all([
      redis.dbsize(),
      redis.set('one more', 'v'),
      redis.dbsize(),
      redis.keys('many:3:*'),
      redis.multi().set('another', 'v').dbsize().exec(),
    ]);
    expect([size, after, keys.length]).toEqual([5_000, 5_001, 1_000]);
    expect(inTransaction?.[1]).toEqual([null, 5_002]);
    redis.disconnect();
  });

  it('answers errors in the words that clients match on', async () => {
    for (const [request, reply] of [
      ['NOSUCH a b\r\n', '-ERR unknown command `NOSUCH`, with args beginning with: `a`, `b`\r\n'],
      ['GET\r\n', "-ERR wrong number of arguments for 'get' command\r\n"],
      ['EXEC\r\n', '-ERR EXEC without MULTI\r\n'],
      ['DISCARD\r\n', '-ERR DISCARD without MULTI\r\n'],
      ['SELECT 5\r\n', '-ERR DB index is out of range\r\n'],
      [
        'HSET wrong a 1\r\nINCR wrong\r\n',
        ':1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n',
      ],
      ['PING "a\\x41b"\r\n', '$3\r\naAb\r\n'],
      ['HELLO 4\r\n', '-NOPROTO unsupported protocol version\r\n'],
    ] as const)
      expect(await ask(request, reply)).toBe(reply);
  });

  it('answers garbage with a protocol error and closes, and lives', async () => {
    for (const [garbage, reply] of [
      ['*1\r\n$-5\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
      ['*1\r\n$10000000000\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
      ['*99999999999\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
      ['*abc\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
      ['*1\r\nhello\r\n', "-ERR Protocol error: expected '$', got 'h'\r\n"],
      ['GET "unbalanced\r\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
      [`${'x'.repeat(70_000)}`, '-ERR Protocol error: too big inline request\r\n'],
    ] as const) {
      const client = await RawClient.open(server.port);
      client.write(garbage);
      expect((await client.readToEnd()).toString('latin1')).toBe(reply);
    }
    expect(await ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
  });

  it('gives the same replies however the requests are cut into pieces', async () => {
    const random = SeededRandom.fromEnvironment('request pieces');
    const requests = Buffer.concat([
      encodeCommand('SET', 'pieces', Buffer.from([0, 13, 10, 255])),
      Buffer.from('PING\r\n\r\n'),
      encodeCommand('GET', 'pieces'),
      encodeCommand('ECHO', Buffer.alloc(5_000, 'e')),
      Buffer.from('*0\r\n*-1\r\n'),
      encodeCommand('NOSUCH'),
      encodeCommand('DEL', 'pieces'),
    ]);
    const expected = `+OK\r\n+PONG\r\n$4\r\n\0\r\n\xff\r\n$5000\r\n${'e'.repeat(5_000)}\r\n-ERR unknown command \`NOSUCH\`, with args beginning with: \r\n:1\r\n`;
    for (let round = 0; round < 30; round++) {
      const client = await RawClient.open(server.port);
      client.socket.setNoDelay(true);
      for (let at = 0; at < requests.length; ) {
        const length = 1 + random.below(random.pick([3, 30, 3_000]));
        client.write(requests.subarray(at, at + length));
        at += length;
        if (random.next() < 0.2) await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await client.read(expected.length)).toString('latin1')).toBe(expected);
      client.close();
    }
  });

  it('tells keys apart that come at the same place of one request after the other', async () => {
    const client = await RawClient.open(server.port);
    for (let round = 0; round < 4; round++) {
      for (const key of ['place:a', 'place:b', 'place:c'])
        expect(await client.ask(encodeCommand('INCR', key), ':1\r\n')).toBe(':1\r\n');
      for (const key of ['place:b', 'place:c', 'place:a'])
        expect(await client.ask(encodeCommand('DEL', key), ':1\r\n')).toBe(':1\r\n');
    }
    client.close();
  });

  it('survives random bytes on many connections', async () => {
    const random = SeededRandom.fromEnvironment('random bytes');
    for (let round = 0; round < 200; round++) {
      const client = await RawClient.open(server.port);
      const junk = random.bytes(1 + random.below(200));
      client.write(random.next() < 0.5 ? junk : Buffer.concat([Buffer.from('*2\r\n$3\r\n'), junk]));
      client.socket.end();
      await client.readToEnd();
    }
    expect(await ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
  });

  it('stops reading a client that does not read its replies, and serves the others', async () => {
    const slow = await RawClient.open(server.port);
    slow.write(encodeCommand('SET', 'big', Buffer.alloc(1024 * 1024, 'b')));
    await slow.read(5);
    slow.socket.pause();
    for (let i = 0; i < 200; i++) slow.write(encodeCommand('GET', 'big'));
    const rss = process.memoryUsage().rss;
    for (let i = 0; i < 50; i++) expect(await ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
    expect(process.memoryUsage().rss - rss).toBeLessThan(100 * 1024 * 1024);
    slow.socket.resume();
    const reply = await slow.read(200 * (1024 * 1024 + 12));
    expect(reply.length).toBe(200 * (1024 * 1024 + 12));
    slow.close();
  });

  it('asks for the password, and compares it', async () => {
    const locked = await Server.listen(engine, { port: 0, password: 'pa ss' });
    const client = await RawClient.open(locked.port);
    for (const [request, reply] of [
      ['GET a\r\n', '-NOAUTH Authentication required.\r\n'],
      ['AUTH wrong\r\n', '-WRONGPASS invalid username-password pair or user is disabled.\r\n'],
      ['AUTH "pa ss"\r\n', '+OK\r\n'],
      ['PING\r\n', '+PONG\r\n'],
      ['RESET\r\n', '+RESET\r\n'],
      ['PING\r\n', '-NOAUTH Authentication required.\r\n'],
      ['HELLO 2 AUTH default "pa ss"\r\n', '*12\r\n'],
    ] as const)
      expect(await client.ask(request, reply)).toBe(reply);
    client.close();
    await locked.close();
  });

  it('refuses to listen beyond loopback without a password', async () => {
    await expect(Server.listen(engine, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('turns clients away above the limit, and takes them again', async () => {
    const small = await Server.listen(engine, { port: 0, maxClients: 2 });
    const clients = [await RawClient.open(small.port), await RawClient.open(small.port)];
    for (const client of clients) expect(await client.ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
    const third = await RawClient.open(small.port);
    expect((await third.readToEnd()).toString()).toBe('-ERR max number of clients reached\r\n');
    clients[0]?.close();
    await waitUntil('the client is gone', () => small.connections === 1);
    const fourth = await RawClient.open(small.port);
    expect(await fourth.ask('PING\r\n', '+PONG\r\n')).toBe('+PONG\r\n');
    await small.close();
  });

  it('sends what is ready when it closes while busy', async () => {
    const closing = await Server.listen(engine, { port: 0 });
    const client = await RawClient.open(closing.port);
    client.write(
      Buffer.concat(Array.from({ length: 1_000 }, (_, i) => encodeCommand('SET', `closing:${i}`, 'x'))),
    );
    await client.read(5);
    await closing.close();
    const rest = await client.readToEnd();
    expect(rest.length % 5).toBe(0);
  });
});

describe('reply parser', () => {
  it('reads the same replies however they are cut', () => {
    const random = SeededRandom.fromEnvironment('reply pieces');
    const stream = Buffer.from(
      '+OK\r\n-ERR no\r\n:42\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n:1\r\n*1\r\n$0\r\n\r\n%1\r\n+a\r\n#t\r\n,1.5\r\n_\r\n(12345678901234567890\r\n=7\r\ntxt:abc\r\n~1\r\n+x\r\n',
      'latin1',
    );
    const whole = new ReplyParser();
    whole.feed(stream);
    const expected = [];
    for (let reply = whole.next(); reply !== undefined; reply = whole.next()) expected.push(reply);
    expect(expected.length).toBe(12);
    for (let round = 0; round < 300; round++) {
      const parser = new ReplyParser();
      const replies = [];
      for (let at = 0; at < stream.length; ) {
        const length = 1 + random.below(9);
        parser.feed(stream.subarray(at, at + length));
        at += length;
        for (let reply = parser.next(); reply !== undefined; reply = parser.next()) replies.push(reply);
      }
      expect(replies).toEqual(expected);
    }
  });
});
