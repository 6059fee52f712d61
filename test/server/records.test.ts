import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/index.js';
import { type Reply, ReplyError, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';

const directory = throwAwayDirectory('records');
let engine: Engine;
let server: Server;

beforeAll(async () => {
  engine = await Engine.open(directory.path);
  server = await Server.listen(engine, { port: 0 });
  const client = await connect();
  for (let at = 0; at < 90; at++) await client.call('SET', `string:${at}`, `${at}`);
  for (let at = 0; at < 30; at++) await client.call('HSET', `hash:${at}`, 'a', `${at}`, 'b', 'x'.repeat(at));
  client.close();
});
afterAll(async () => {
  await server.close();
  await engine.close();
  directory.remove();
});

const connect = (): Promise<RespConnection> => RespConnection.open({ host: '127.0.0.1', port: server.port });

/** Page after page, each asked for by what `ask` says of where the last one ended. */
const walk = async (
  client: RespConnection,
  ask: (after: Buffer | undefined) => readonly (string | Buffer)[],
): Promise<Reply[][]> => {
  const pages: Reply[][] = [];
  for (let after: Buffer | undefined; ; ) {
    const page = await client.call('RECORDS', ...ask(after), 'COUNT', '7');
    if (!Array.isArray(page)) throw new Error(String(page));
    pages.push(page);
    if (!Buffer.isBuffer(page[1])) return pages;
    after = page[1];
  }
};

describe('RECORDS', () => {
  it('goes on by NEXT where the page before ended, also when pages are asked for ahead', async () => {
    const client = await connect();
    const scanned = await walk(client, (after) => ['SCAN', after ?? '']);
    expect(scanned).toHaveLength(Math.ceil(120 / 7));
    expect(await walk(client, (after) => (after === undefined ? ['SCAN', ''] : ['NEXT']))).toEqual(scanned);

    const asked = [client.call('RECORDS', 'SCAN', '', 'COUNT', 7)];
    for (let ahead = 1; ahead < scanned.length; ahead++)
      asked.push(client.call('RECORDS', 'NEXT', 'COUNT', 7));
    expect(await Promise.all(asked)).toEqual(scanned);
    // Behind the end there is nothing.
    expect(await client.call('RECORDS', 'NEXT')).toEqual([
      engine.sequence,
      null,
      Buffer.alloc(0),
      [],
      engine.sequence,
    ]);
    client.close();
  });

  it('says of each page whether it is durable', async () => {
    const client = await connect();
    await client.call('SET', 'string:0', 'new');
    const [sequence, , , , durable] = (await client.call('RECORDS', 'SCAN', '')) as number[];
    expect(sequence).toBe(engine.sequence);
    expect(durable).toBe(sequence);
    client.close();
  });

  it('refuses NEXT without a page before, and verbs without what they ask for', async () => {
    const client = await connect();
    for (const words of [['NEXT'], ['SCAN'], ['GET'], ['GETUPTO'], ['RAW'], ['OTHER', 'x']]) {
      const reply = await client.call('RECORDS', ...words);
      expect(reply, words.join(' ')).toBeInstanceOf(ReplyError);
      expect(String(reply)).not.toContain('internal');
    }
    client.close();
  });
});
