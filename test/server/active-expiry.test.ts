import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/data-model/index.js';
import { Engine } from '../../src/engine/index.js';
import { RespConnection } from '../../src/resp/index.js';
import { ExpiryQueue } from '../../src/server/expiry/expiry-queue.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

/** What the log says was deleted, as `namespace/key`. */
const deletedKeys = (engine: Engine): string[] => {
  const decoder = new Decoder();
  const deleted: string[] = [];
  for (const { bytes } of engine.walIterator(0))
    for (const change of decoder.decode(Buffer.from(bytes)).changes)
      if (change.op === 'delete' && change.type === 'key')
        deleted.push(`${change.ns}/${Buffer.from(change.key).toString()}`);
  return deleted;
};

describe('active expiry', () => {
  it('deletes expired keys in the log, those of before the server too, and no others', async () => {
    const directory = throwAwayDirectory('expiry');
    const engine = await Engine.open(directory.path, { sync: 'none' });
    const lazy = await Server.listen(engine, { port: 0 });
    const before = await RespConnection.open({ host: '127.0.0.1', port: lazy.port });
    await before.call('SET', 'old', 'v', 'PX', 1);
    await before.call('SET', 'stays', 'v');
    // More than are looked at in one go stand before it.
    for (let part = 0; part < 5; part++)
      await before.call('MSET', ...Array.from({ length: 10_000 }, (_, i) => [`${part}:${i}`, 'v']).flat());
    await waitUntil('it has expired', async () => (await before.call('GET', 'old')) === null);
    before.close();
    await lazy.close();
    expect(deletedKeys(engine)).toEqual([]);

    const server = await Server.listen(engine, { port: 0, expire: 'active' });
    const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    // One transaction, so that however slow the machine is no key expires before its time is changed.
    await Promise.all(
      [
        ['MULTI'],
        ['SET', 'string', 'v', 'PX', 20],
        ['RPUSH', 'list', 'v'],
        ['PEXPIRE', 'list', 20],
        ['SET', 'longer', 'v', 'PX', 20],
        ['PEXPIRE', 'longer', 100_000],
        ['SET', 'persistent', 'v', 'PX', 20],
        ['PERSIST', 'persistent'],
        ['EXEC'],
      ].map((call) => client.call(...call)),
    );
    await waitUntil('three keys have expired', async () =>
      /expired_keys:3/.test(String(await client.call('INFO', 'stats'))),
    );
    await engine.whenDurable(engine.sequence);
    expect(
      deletedKeys(engine)
        .filter((key) => key !== 'default/list')
        .sort(),
    ).toEqual(['default/old', 'default/string']);
    // The list's making begins with a delete as well, since an old one may be left.
    expect(deletedKeys(engine).filter((key) => key === 'default/list')).toHaveLength(2);
    expect(await client.call('EXISTS', 'stays', 'longer', 'persistent')).toBe(3);
    client.close();
    await server.close();
    await engine.close();
    directory.remove();
  });

  it('keeps times in order, whatever order they come in', () => {
    const random = SeededRandom.fromEnvironment('expiry queue');
    const queue = new ExpiryQueue(500);
    const times = Array.from({ length: 600 }, () => random.below(1_000));
    const taken = times.filter((time) => queue.push(time, Buffer.from(`${time}`)));
    expect(taken).toHaveLength(500);
    const popped: number[] = [];
    while (queue.size > 0) popped.push(Number(queue.pop()?.toString()));
    expect(popped).toEqual(taken.sort((a, b) => a - b));
  });
});
