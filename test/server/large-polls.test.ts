import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const store = useServer('large-polls', { engine: { sync: 'none' } });

const valueBytes = 48 * 1024 * 1024;

const heldBytes = (): number => {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
};

const bytesIn = (reply: unknown): number =>
  Buffer.isBuffer(reply)
    ? reply.length
    : Array.isArray(reply)
      ? reply.reduce((sum, one) => sum + bytesIn(one), 0)
      : 0;

it('a poll of a huge batch keeps nothing of its memory when it has been answered', async () => {
  await store.client.call('SET', 'small', 'x');
  await store.client.call('SET', 'huge', Buffer.alloc(valueBytes, 'x'));
  const before = heldBytes();
  for (const format of ['RAW', 'JSON']) {
    const reply = store.client.call('POLLUPDATES', 1, 'MAX', 2, 'STRICT', 'FORMAT', format);
    expect(bytesIn(await reply)).toBeGreaterThan(valueBytes);
    // The cursor of the connection stays at the end of the log.
    await waitUntil(`the memory of ${format} is free`, () => heldBytes() - before < valueBytes / 2);
  }
});
