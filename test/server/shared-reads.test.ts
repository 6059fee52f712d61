import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { encodeCommand } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { SeededRandom } from '../support/seeded-random.js';

/** A client's commands, which only it sends, and their replies. */
const conversation = (name: string): { readonly requests: Buffer; readonly replies: string } => {
  const key = `key of ${name}`;
  const first = name.repeat(10);
  const second = name.repeat(300);
  const requests = Buffer.concat([
    encodeCommand('MULTI'),
    encodeCommand('SET', key, first),
    encodeCommand('APPEND', key, second),
    encodeCommand('EXEC'),
    encodeCommand('LPUSH', `list ${key}`, second),
    encodeCommand('BLPOP', `list ${key}`, `empty ${key}`, '0'),
    encodeCommand('GET', key),
    encodeCommand('DEL', key),
  ]);
  const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
  const total = first.length + second.length;
  const replies =
    `+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:${total}\r\n:1\r\n` +
    `*2\r\n${bulk(`list ${key}`)}${bulk(second)}${bulk(first + second)}:1\r\n`;
  return { requests, replies };
};

describe('reading through one buffer', () => {
  it('gives each client what it sent, though halves of commands of many come in turn', async () => {
    const random = SeededRandom.fromEnvironment('halves');
    const directory = throwAwayDirectory('halves');
    const engine = await Engine.open(directory.path, { sync: 'none' });
    const server = await Server.listen(engine, { port: 0 });
    try {
      for (let round = 0; round < 20; round++) {
        const clients = await Promise.all(
          Array.from({ length: 6 }, async (_, i) => ({
            ...conversation(`${round}-${i};`),
            raw: await RawClient.open(server.port),
            at: 0,
          })),
        );
        for (;;) {
          const talking = clients.filter(({ at, requests }) => at < requests.length);
          if (talking.length === 0) break;
          const client = random.pick(talking);
          const end = client.at + 1 + random.below(700);
          client.raw.write(client.requests.subarray(client.at, end));
          client.at = end;
          await new Promise((resolve) => setImmediate(resolve)); // the server takes what has come
        }
        for (const { raw, replies } of clients) {
          expect((await raw.read(replies.length)).toString('latin1')).toBe(replies);
          raw.close();
        }
      }
    } finally {
      await server.close();
      await engine.close();
      directory.remove();
    }
  });
});
