import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectGarbage } from '../support/collect-garbage.js';
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
