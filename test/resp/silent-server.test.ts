import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { ScriptedServer } from '../support/scripted-server.js';

describe('a server that takes connections and says nothing', () => {
  const servers: ScriptedServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
  });
  const silent = async (login: string, database = ''): Promise<ReturnType<typeof parseRedisUrl>> => {
    const server = await ScriptedServer.open(() => undefined);
    servers.push(server);
    return parseRedisUrl(`${server.url.replace('://', `://${login}`)}${database}`);
  };

  it.each([
    [':secret@', ''],
    ['', '/3'],
  ])('is given up in time: %s %s', async (login, database) => {
    const address = await silent(login, database);
    await expect(RespConnection.open(address, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('within 200 ms'),
    });
  });

  it('is given up at once when that is asked for', async () => {
    const address = await silent(':secret@');
    const controller = new AbortController();
    const opening = RespConnection.open(address, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('enough') });
  });

  it('is given up too where it falls silent after a pause in which nothing was asked', async () => {
    let isAnswering = true;
    const server = await ScriptedServer.open(() => (isAnswering ? '+OK\r\n' : undefined));
    servers.push(server);
    const connection = await RespConnection.open(parseRedisUrl(server.url), { answerTimeoutMs: 1_000 });
    for (let round = 0; round < 2; round++) {
      expect(await connection.call('PING')).toBe('OK');
      await delay(1_500); // longer than an answer may take
    }
    isAnswering = false;
    await expect(connection.call('PING')).rejects.toThrow('no answer within 1000 ms');
    expect(connection.error).toBeDefined();
  });

  it('is not blamed where the client itself stood still and the answer lies ready', async () => {
    const server = await ScriptedServer.open(() => {
      process.nextTick(() => {
        const start = performance.now();
        while (performance.now() - start < 500); // right behind the answer
      });
      return '+OK\r\n';
    });
    servers.push(server);
    const connection = await RespConnection.open(parseRedisUrl(server.url), { answerTimeoutMs: 200 });
    for (let round = 0; round < 2; round++) expect(await connection.call('PING')).toBe('OK');
    connection.close();
  });
});
