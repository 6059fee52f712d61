import { describe, expect, it } from 'vitest';
import { type Reply, ReplyError } from '../../src/resp/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { useServer } from '../support/use-server.js';

const store = useServer('apply-batch', { engine: { sync: 'none' } });

/** One of each kind of record, in several column families. */
const batch = Buffer.from(
  new WriteBatchBuilder()
    .logData(Buffer.from('1 a'))
    .put(0, Buffer.from('key'), Buffer.from('value'))
    .put(1, Buffer.from('\x0b__namespacek'), Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1'))
    .delete(2, Buffer.from('gone'))
    .deleteRange(1, Buffer.from('from'), Buffer.from('to'))
    .finish(7),
);

const apply = async (bytes: Buffer): Promise<Reply> => {
  const before = store.engine.sequence;
  const reply = await store.client.call('APPLYBATCH', bytes);
  if (reply instanceof ReplyError) expect(store.engine.sequence).toBe(before);
  else expect(store.engine.sequence).toBe(before + bytes.readUInt32LE(8));
  return reply;
};

describe('APPLYBATCH with words behind the bytes', () => {
  it('applies nothing where they are no condition', async () => {
    const before = store.engine.sequence;
    for (const words of [
      ['EXPECT'],
      ['EXPECT', 'key'],
      ['EXPECTED', 'key', 'x'],
      ['EXPECT', 'key', 'x', 'y'],
    ])
      expect(await store.client.call('APPLYBATCH', batch, ...words)).toMatchObject({
        message: 'ERR syntax error',
      });
    expect(await store.client.call('APPLYBATCH', batch, 'EXPECT', 'key', 'x')).toBe(0);
    expect(store.engine.sequence).toBe(before);
    expect(await store.client.call('APPLYBATCH', batch, 'LOWPRI')).toBe(1);
    expect(await store.client.call('APPLYBATCH', batch, 'expect', 'key', '')).toBe(1);
  });
});

describe('APPLYBATCH of bytes that are damaged', () => {
  it('tells where, and applies nothing, wherever they end', async () => {
    expect(await apply(batch)).toBe(1);
    for (let length = 0; length < batch.length; length++) {
      const reply = await apply(batch.subarray(0, length));
      expect(reply, `${length} bytes`).toBeInstanceOf(ReplyError);
      const { message } = reply as ReplyError;
      expect(message, `${length} bytes`).toMatch(/^ERR Corruption: /);
      if (length >= 12) expect(message, `${length} bytes`).toMatch(/offset \d+/);
    }
  });

  it('tells where, or takes them for what they say, whichever byte is another; the log stays whole', async () => {
    const start = store.engine.sequence;
    let counted = 0;
    for (let at = 0; at < batch.length; at++)
      for (const mask of [0x01, 0x80, 0xff]) {
        const bytes = Buffer.from(batch);
        bytes[at] ^= mask;
        const reply = await apply(bytes);
        if (reply instanceof ReplyError) expect(reply.message, `byte ${at}`).toMatch(/^ERR .+/);
        else counted += bytes.readUInt32LE(8);
      }
    expect(counted).toBeGreaterThan(0);
    expect(store.engine.sequence).toBe(start + counted);
    await store.engine.whenDurable(store.engine.sequence);
    let sequence = start;
    while (sequence < start + counted) {
      const reply = (await store.client.call('POLLUPDATES', sequence, 'STRICT', 'MAX', 100)) as Reply[];
      expect(Array.isArray(reply), String(reply)).toBe(true);
      const next = reply[1] as number;
      expect(next).toBeGreaterThan(sequence);
      sequence = next;
    }
    expect(await store.client.call('SET', 'lives', '1')).toBe('OK');
  });

  it('refuses what names no kind of record, no column family, or more than the count, with the offset', async () => {
    const reply = async (bytes: Buffer): Promise<string> => String(await apply(bytes));
    const kind = Buffer.from(batch);
    kind[12] = 0x7e;
    expect(await reply(kind)).toMatch(/Corruption: .*offset 12/);
    const count = Buffer.from(batch);
    count.writeUInt32LE(9, 8);
    expect(await reply(count)).toMatch(/Corruption: .*9/);
    const family = Buffer.from(new WriteBatchBuilder().put(99, Buffer.from('a'), Buffer.from('b')).finish());
    expect(await reply(family)).toMatch(/column family 99/);
  });
});
