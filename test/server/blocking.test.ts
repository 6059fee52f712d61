import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { startRedis, throwAwayDirectory } from '../services/index.js';
import { playScenario, type ScenarioStep } from '../support/client-scenario.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';
import { waitUntil } from '../support/wait-until.js';

const scenarios: Readonly<Record<string, readonly ScenarioStep[]>> = {
  'first come, first served': [
    ['a', 'BLPOP', 'l', '0'],
    ['b', 'BRPOP', 'l', '0'],
    ['c', 'BLPOP', 'other', 'l', '0'],
    ['p', 'RPUSH', 'l', '1', '2'],
    ['p', 'RPUSH', 'l', '3', '4', '5'],
    ['a', 'BLPOP', 'l', '0'],
    ['p', 'LRANGE', 'l', '0', '-1'],
  ],
  'an element that is there is taken at once': [
    ['p', 'RPUSH', 'l', '1', '2', '3'],
    ['a', 'BLPOP', 'none', 'l', '0'],
    ['a', 'BLMPOP', '0', '2', 'none', 'l', 'LEFT', 'COUNT', '5'],
    ['p', 'EXISTS', 'l'],
  ],
  'each gets what is of the type that it waits for': [
    ['a', 'BLPOP', 'k', '0'],
    ['b', 'BZPOPMIN', 'k', '0'],
    ['p', 'ZADD', 'k', '1', 'm'],
    ['p', 'RPUSH', 'k', 'v'],
  ],
  'in a transaction nobody waits, but a wrong timeout is refused': [
    ['a', 'MULTI'],
    ['a', 'BLPOP', 'l', '0'],
    ['a', 'BLPOP', 'l', 'soon'],
    ['a', 'EXEC'],
  ],
  'moves feed those who wait for the destination': [
    ['a', 'BLPOP', 'd', '0'],
    ['b', 'BLMOVE', 's', 'd', 'LEFT', 'RIGHT', '0'],
    ['c', 'BRPOPLPUSH', 's', 'd', '0'],
    ['p', 'RPUSH', 's', 'x'],
    ['p', 'RPUSH', 's', 'y'],
    ['p', 'LRANGE', 'd', '0', '-1'],
  ],
  'nothing waits in a transaction, and a transaction serves at its end': [
    ['a', 'BLPOP', 'l', '0'],
    ['p', 'MULTI'],
    ['p', 'RPUSH', 'l', '1'],
    ['p', 'LPOP', 'l'],
    ['p', 'BLPOP', 'l', '0'],
    ['p', 'BLMOVE', 'l', 'm', 'LEFT', 'LEFT', '0'],
    ['p', 'XREAD', 'BLOCK', '0', 'STREAMS', 's', '$'],
    ['p', 'BZPOPMIN', 'z', '0'],
    ['p', 'RPUSH', 'l', '2'],
    ['p', 'EXEC'],
  ],
  'a key of another type leaves them waiting': [
    ['a', 'BLPOP', 'l', '0'],
    ['p', 'SET', 'l', 'string'],
    ['p', 'DEL', 'l'],
    ['p', 'ZADD', 'l', '1', 'm'],
    ['p', 'DEL', 'l'],
    ['p', 'LPUSH', 'l', 'v'],
  ],
  'a wrong type or timeout is refused at once': [
    ['p', 'SET', 's', 'v'],
    ['a', 'BLPOP', 's', '0'],
    ['a', 'BLPOP', 'l', '-1'],
    ['a', 'BLPOP', 'l', 'x'],
    ['a', 'BZPOPMIN', 'l', 'x'],
    ['a', 'BLMOVE', 'l', 'm', 'LEFT', 'NOWHERE', '0'],
    ['a', 'XREAD', 'BLOCK', '-1', 'STREAMS', 's', '$'],
    ['a', 'BLMPOP', '0', '1', 'l', 'SIDEWAYS'],
  ],
  'a move whose destination has another type answers so': [
    ['a', 'BLMOVE', 's', 'd', 'LEFT', 'RIGHT', '0'],
    ['b', 'BLPOP', 's', '0'],
    ['p', 'SET', 'd', 'string'],
    ['p', 'RPUSH', 's', 'x'],
    ['p', 'EXISTS', 's'],
  ],
  'who waits for a source is not held up by who fills it': [
    ['a', 'BLMOVE', 's', 'd', 'LEFT', 'RIGHT', '0'],
    ['b', 'BLMOVE', 'd', 'e', 'LEFT', 'RIGHT', '0'],
    ['p', 'RPUSH', 'd', 'x'],
    ['p', 'RPUSH', 's', 'y'],
    ['p', 'LRANGE', 'd', '0', '-1'],
  ],
  'sorted sets': [
    ['a', 'BZPOPMIN', 'z', 'y', '0'],
    ['b', 'BZPOPMAX', 'z', '0'],
    ['c', 'BZMPOP', '0', '2', 'x', 'z', 'MIN', 'COUNT', '2'],
    ['p', 'ZADD', 'z', '1', 'one', '2', 'two', '3', 'three', '4', 'four', '5', 'five'],
    ['p', 'ZRANGE', 'z', '0', '-1'],
    ['a', 'BZPOPMIN', 'z', 'y', '0'],
    ['p', 'ZADD', 'y', '2.5', 'm'],
  ],
  'of several keys the one that was written first serves, wherever the call names it': [
    ['a', 'BLPOP', 'k1', 'k2', 'k3', '0'],
    ['p', 'MULTI'],
    ['p', 'RPUSH', 'k3', '3'],
    ['p', 'RPUSH', 'k2', '2'],
    ['p', 'RPUSH', 'k1', '1'],
    ['p', 'LPOP', 'k3'],
    ['p', 'EXEC'],
    ['p', 'EXISTS', 'k1', 'k2', 'k3'],
    ['a', 'BLMPOP', '0', '2', 'l1', 'l2', 'LEFT', 'COUNT', '9'],
    ['b', 'BLPOP', 'l1', 'l2', '0'],
    ['p', 'MULTI'],
    ['p', 'RPUSH', 'l2', '1', '2'],
    ['p', 'RPUSH', 'l1', '3', '4'],
    ['p', 'EXEC'],
    ['a', 'BZPOPMIN', 'z1', 'z2', '0'],
    ['b', 'BZMPOP', '0', '2', 'z1', 'z2', 'MAX'],
    ['p', 'MULTI'],
    ['p', 'ZADD', 'z2', '1', 'm'],
    ['p', 'ZADD', 'z1', '2', 'm'],
    ['p', 'EXEC'],
  ],
  'who waits for several keys does not mind the type of another': [
    ['a', 'BLPOP', 'k1', 'k2', '0'],
    ['b', 'BZPOPMAX', 'k1', 'z', '0'],
    ['p', 'SET', 'k1', 'string'],
    ['p', 'RPUSH', 'k2', 'v'],
    ['p', 'ZADD', 'z', '1', 'm'],
  ],
  'streams, by id and by group': [
    ['p', 'XADD', 's', '1-1', 'f', 'v'],
    ['p', 'XGROUP', 'CREATE', 's', 'g', '$'],
    ['a', 'XREAD', 'BLOCK', '0', 'STREAMS', 's', '$'],
    ['b', 'XREAD', 'BLOCK', '0', 'STREAMS', 's', '5-0'],
    ['c', 'XREADGROUP', 'GROUP', 'g', 'c1', 'BLOCK', '0', 'STREAMS', 's', '>'],
    ['d', 'XREADGROUP', 'GROUP', 'g', 'c2', 'BLOCK', '0', 'STREAMS', 's', '>'],
    ['p', 'XADD', 's', '2-1', 'f', 'v2'],
    ['p', 'XADD', 's', '6-1', 'f', 'v3'],
    ['e', 'XREAD', 'BLOCK', '0', 'STREAMS', 'unborn', '$'],
    ['p', 'XADD', 'unborn', '1-1', 'f', 'v'],
    ['p', 'XPENDING', 's', 'g'],
  ],
  'keys that come into being by other commands': [
    ['a', 'BLPOP', 'l', '0'],
    ['p', 'RPUSH', 'src', '1', '2'],
    ['p', 'RENAME', 'src', 'l'],
    ['b', 'BLPOP', 'copy', '0'],
    ['p', 'COPY', 'l', 'copy'],
    ['c', 'BLPOP', 'sorted', '0'],
    ['p', 'SADD', 'set', '3', '1', '2'],
    ['p', 'SORT', 'set', 'STORE', 'sorted'],
    ['d', 'BZPOPMIN', 'u', '0'],
    ['p', 'ZADD', 'z1', '1', 'm'],
    ['p', 'ZUNIONSTORE', 'u', '1', 'z1'],
  ],
  'what a client sends behind its wait comes after it': [
    ['a', 'BLPOP', 'l', '0'],
    ['a', 'SET', 'after', '1'],
    ['p', 'GET', 'after'],
    ['p', 'RPUSH', 'l', 'v'],
    ['p', 'GET', 'after'],
  ],
};

const blockedClients = async (control: RespConnection): Promise<number> =>
  Number(/blocked_clients:(\d+)/.exec(String(await control.call('INFO', 'clients')))?.[1]);

describe('commands that wait', () => {
  const directory = throwAwayDirectory('blocking');
  let engine: Engine;
  let server: Server;
  let redis: Awaited<ReturnType<typeof startRedis>>;

  beforeAll(async () => {
    redis = await startRedis();
    engine = await Engine.open(directory.path, { sync: 'none' });
    server = await Server.listen(engine, { port: 0 });
  });
  afterAll(async () => {
    await server.close();
    await engine.close();
    await redis.stop();
    directory.remove();
  });

  it.each(Object.keys(scenarios))('answer as Redis does: %s', async (name) => {
    const steps = scenarios[name] ?? [];
    expect(await playScenario(server.port, steps)).toEqual(await playScenario(redis.port, steps));
  });

  it('answer a null array when the time is over', async () => {
    for (const request of [
      'BLPOP l 0.01\r\n',
      'BZPOPMIN z 0.01\r\n',
      'BLMOVE l m LEFT LEFT 0.01\r\n',
      'BRPOPLPUSH l m 0.01\r\n',
      'BLMPOP 0.01 1 l LEFT\r\n',
      'XREAD BLOCK 10 STREAMS s $\r\n',
    ]) {
      const [ours, theirs] = await Promise.all(
        [server.port, redis.port].map(async (port) => {
          const client = await RawClient.open(port);
          const reply = await client.ask(`${request}PING\r\n`, '*-1\r\n+PONG\r\n');
          client.close();
          return reply;
        }),
      );
      expect([request, ours]).toEqual([request, theirs]);
    }
  });

  it('refuse a timeout that no clock holds, instead of waiting without end', async () => {
    const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    for (const timeout of ['1e30', '9223372036854776'])
      expect(await client.call('BLPOP', 'l', timeout)).toMatchObject({
        message: 'ERR timeout is out of range',
      });
    client.close();
  });

  it('end by CLIENT UNBLOCK, as a timeout or as an error', async () => {
    const control = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const waiter = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const id = (await waiter.call('CLIENT', 'ID')) as number;
    expect(await control.call('CLIENT', 'UNBLOCK', id)).toBe(0);
    for (const [word, reply] of [
      ['TIMEOUT', null],
      ['ERROR', { message: 'UNBLOCKED client unblocked via CLIENT UNBLOCK' }],
    ] as const) {
      const answer = waiter.call('BLPOP', 'l', 0);
      await waitUntil(
        'the client waits',
        async () => (await control.call('CLIENT', 'UNBLOCK', id, word)) === 1,
      );
      if (reply === null) expect(await answer).toBeNull();
      else expect(await answer).toMatchObject(reply);
    }
    waiter.close();
    control.close();
  });

  it.each([
    ['BLPOP', 'soon', '0.4'],
    ['POLLUPDATES', 'newest', 'BLOCK', '400'],
  ])('wait anew, whatever is left of the time of the one before: %s', async (...words) => {
    const control = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const waiter = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const newest = String(engine.sequence);
    let isAnswered = false;
    const first = waiter.call(...words.map((word) => (word === 'newest' ? newest : word))).finally(() => {
      isAnswered = true;
    });
    await waitUntil('the client waits', async () => isAnswered || (await blockedClients(control)) === 1);
    await control.call('RPUSH', 'soon', 'v');
    await first;
    const second = waiter.call('BLPOP', 'later', 0);
    await delay(500);
    await control.call('RPUSH', 'later', 'v');
    expect(replyText(await second)).toEqual(['later', 'v']);
    await control.call('DEL', 'soon');
    waiter.close();
    control.close();
  });

  it('lose nothing to a client that went away', async () => {
    const control = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    const gone = await RawClient.open(server.port);
    gone.write('BLPOP kept 0\r\n');
    await waitUntil('the client waits', async () => (await blockedClients(control)) === 1);
    gone.close();
    await waitUntil('the client is gone', async () => (await blockedClients(control)) === 0);
    expect(await control.call('RPUSH', 'kept', 'v')).toBe(1);
    expect(await control.call('LLEN', 'kept')).toBe(1);
    control.close();
  });
});
