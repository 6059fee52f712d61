import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ByteWriter, writeCommand } from '../../src/resp/index.js';
import { collectGarbage } from '../support/collect-garbage.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const store = useServer('large-polls', { engine: { sync: 'none' } });

const valueBytes = 48 * 1024 * 1024;

const heldBytes = (): number => {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
};

/** What is held when nothing more is let go of. */
const settledBytes = async (): Promise<number> => {
  let lowest = heldBytes();
  for (let same = 0; same < 5; same++) {
    await delay(20);
    const held = heldBytes();
    if (held < lowest) same = 0;
    lowest = Math.min(lowest, held);
  }
  return lowest;
};

const bytesIn = (reply: unknown): number =>
  Buffer.isBuffer(reply)
    ? reply.length
    : Array.isArray(reply)
      ? reply.reduce((sum, one) => sum + bytesIn(one), 0)
      : 0;

/** In a call of its own, so that nothing here holds the reply any longer. */
const polledBytes = async (format: string): Promise<number> =>
  bytesIn(await store.client.call('POLLUPDATES', 1, 'MAX', 2, 'STRICT', 'FORMAT', format));

it('a poll of a huge batch keeps nothing of its memory when it has been answered', async () => {
  await store.client.call('SET', 'small', 'x');
  await store.client.call('SET', 'huge', Buffer.alloc(valueBytes, 'x'));
  // The connection lets go of the value with its next command, and the log when it is written.
  await store.client.call('PING');
  await store.engine.whenDurable(store.engine.sequence);
  const before = await settledBytes();
  for (const format of ['RAW', 'JSON']) {
    expect(await polledBytes(format)).toBeGreaterThan(valueBytes);
    // The cursor of the connection stays at the end of the log.
    await waitUntil(`the memory of ${format} is free`, () => heldBytes() - before < valueBytes / 2);
  }
});

it('a huge batch of many changes is told while others are served, in polls and in streams', async () => {
  const words = ['HSET', 'wide'];
  for (let i = 0; i < 100_000; i++) words.push(`field:${i}`, 'a value of some length '.repeat(4));
  const before = Number(await store.client.call('SEQUENCE'));
  const out = new ByteWriter();
  writeCommand(out, words);
  await store.client.send(out.take(), 1);
  await store.engine.whenDurable(store.engine.sequence);
  const [poller, other] = await Promise.all([store.connect(), store.connect()]);
  const servedUntil = async (answer: Promise<unknown>): Promise<number> => {
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    let served = 0;
    for (; !isAnswered; served++) await other.call('PING');
    return served;
  };
  for (const block of [[], ['BLOCK', 1]]) {
    const poll = poller.call('POLLUPDATES', before, 'FORMAT', 'JSON', ...block);
    expect(await servedUntil(poll)).toBeGreaterThan(10);
    const reply = replyText(await poll) as [string, number, string, number, string, string[]];
    expect(reply[1]).toBe(store.engine.sequence);
    expect(reply[5]).toHaveLength(100_001); // the key was not there before
    expect(JSON.parse(String(reply[5].at(-1)))).toMatchObject({ key: 'wide', field: 'field:0' });
  }
  const stream = await RawClient.open(store.server.port);
  stream.write(`STREAMUPDATES ${before} FORMAT JSON\r\n`);
  const pushed = stream.read(20_000_000);
  expect(await servedUntil(pushed)).toBeGreaterThan(10);
  expect((await pushed).toString('latin1', 0, 100)).toMatch(
    /^\+OK\r\n\*4\r\n\$7\r\nupdates\r\n[^*]*\*100001\r\n/,
  );
  stream.close();
});
