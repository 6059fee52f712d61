import { afterEach, describe, expect, it } from 'vitest';
import { encodeCommand, parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { ScriptedServer } from '../support/scripted-server.js';

describe('a server that turns a client away', () => {
  const servers: ScriptedServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
  });
  const answering = async (...answers: string[]): Promise<string> => {
    const server = await ScriptedServer.open(() => answers.shift());
    servers.push(server);
    return server.url;
  };

  it.each([
    ['-ERR max number of clients reached', 'SOURCE_UNREACHABLE'],
    ['-BUSY Redis is busy running a script.', 'SOURCE_UNREACHABLE'],
    ['-LOADING Redis is loading the dataset in memory', 'SOURCE_UNREACHABLE'],
    ['-WRONGPASS invalid username-password pair or user is disabled.', 'SOURCE_REFUSED'],
    ['-ERR DB index is out of range', 'SOURCE_REFUSED'],
  ])('is tried again where that passes by itself: %s', async (answer, code) => {
    const byPassword = (await answering(`${answer}\r\n`)).replace('://', '://:secret@');
    const byDatabase = `${await answering(`${answer}\r\n`)}/3`;
    for (const url of [byPassword, byDatabase])
      await expect(RespConnection.open(parseRedisUrl(url))).rejects.toMatchObject({
        code,
        message: expect.stringContaining(answer.slice(1)),
      });
  });

  it('has its word told with the loss of the connection', async () => {
    const url = await answering('-DENIED Redis is running in protected mode\r\n', 'hang up');
    const connection = await RespConnection.open(parseRedisUrl(url));
    const two = Buffer.concat([encodeCommand('PING'), encodeCommand('PING')]);
    await expect(connection.send(two, 2)).rejects.toThrow(/behind the answer DENIED .* protected mode/);
  });
});
