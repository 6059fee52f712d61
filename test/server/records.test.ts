import { beforeAll, describe, expect, it } from 'vitest';
import { KeyRecordsReader } from '../../src/data-model/key-records/key-records-reader.js';
import { type Reply, ReplyError, type RespConnection } from '../../src/resp/index.js';
import { useServer } from '../support/use-server.js';

const store = useServer('records');

beforeAll(async () => {
  const { client } = store;
  for (let at = 0; at < 90; at++) await client.call('SET', `string:${at}`, `${at}`);
  for (let at = 0; at < 30; at++) await client.call('HSET', `hash:${at}`, 'a', `${at}`, 'b', 'x'.repeat(at));
});

/** Page after page, each from where the last one ended. */
const walk = async (client: RespConnection): Promise<Reply[][]> => {
  const pages: Reply[][] = [];
  for (let after: Buffer | string = ''; ; ) {
    const page = await client.call('RECORDS', 'SCAN', after, 'COUNT', '7');
    if (!Array.isArray(page)) throw new Error(String(page));
    pages.push(page);
    if (!Buffer.isBuffer(page[1])) return pages;
    after = page[1];
  }
};

const keysOf = (records: Reply): string[] => {
  const keys: string[] = [];
  if (!Buffer.isBuffer(records)) throw new Error(String(records));
  const reader = new KeyRecordsReader(records);
  while (reader.next()) keys.push(records.toString('latin1', reader.metadataKeyStart, reader.metadataKeyEnd));
  return keys;
};

describe('RECORDS', () => {
  it('answers page after page until there is nothing behind', async () => {
    const client = await store.connect();
    const pages = await walk(client);
    expect(pages).toHaveLength(Math.ceil(120 / 7));
    const keys = pages.flatMap(([, , records]) => keysOf(records));
    expect(keys).toHaveLength(120);
    expect(new Set(keys).size).toBe(120);
    expect(pages.at(-1)?.[1]).toBeNull();
    client.close();
  });

  it('says of each page whether it is durable', async () => {
    const client = await store.connect();
    await client.call('SET', 'string:0', 'new');
    const [sequence, , , , durable] = (await client.call('RECORDS', 'SCAN', '')) as number[];
    expect(sequence).toBe(store.engine.sequence);
    expect(durable).toBe(sequence);
    client.close();
  });

  it('refuses verbs without what they ask for', async () => {
    const client = await store.connect();
    for (const words of [[], ['SCAN'], ['GET'], ['GETUPTO'], ['RAW'], ['OTHER', 'x']]) {
      const reply = await client.call('RECORDS', ...words);
      expect(reply, words.join(' ')).toBeInstanceOf(ReplyError);
      expect(String(reply)).not.toContain('internal');
    }
    client.close();
  });
});
