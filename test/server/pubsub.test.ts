import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RespConnection } from '../../src/resp/index.js';
import { startRedis } from '../services/index.js';
import { RawClient } from '../support/raw-client.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const served = useServer('pubsub', {
  engine: { sync: 'none' },
  server: { subscriberOutputBytes: 1024 * 1024 },
});
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** What a subscriber is sent, byte by byte, while it subscribes and others publish. */
const listen = async (port: number, hello: string): Promise<string> => {
  const subscriber = await RawClient.open(port);
  const publisher = await RespConnection.open({ host: '127.0.0.1', port });
  subscriber.write(hello);
  subscriber.write('SUBSCRIBE news other news\r\nPSUBSCRIBE n*\r\nSSUBSCRIBE shard\r\n');
  await waitUntil('it has subscribed', async () => {
    const counts = (await publisher.call('PUBSUB', 'SHARDNUMSUB', 'shard')) as unknown[];
    return counts[1] === 1;
  });
  const counts = [
    await publisher.call('PUBLISH', 'news', 'hello\r\nworld'),
    await publisher.call('PUBLISH', 'nobody', 'x'),
    await publisher.call('PUBLISH', 'silence', 'x'),
    await publisher.call('SPUBLISH', 'shard', 'y'),
    await publisher.call('PUBSUB', 'NUMSUB', 'news', 'silence'),
    await publisher.call('PUBSUB', 'NUMPAT'),
    await publisher.call('PUBSUB', 'CHANNELS', 'n*'),
    await publisher.call('PUBSUB', 'SHARDCHANNELS'),
  ];
  subscriber.write(
    'PING\r\nPING x\r\nGET key\r\nUNSUBSCRIBE\r\nPUNSUBSCRIBE n*\r\nSUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nPING\r\nQUIT\r\n',
  );
  const bytes = (await subscriber.readToEnd()).toString('latin1');
  publisher.close();
  // UNSUBSCRIBE from all goes through a hash table in Redis: its order is chance. HELLO tells of the server.
  const messages = bytes.slice(Math.max(0, bytes.search(/[>*]3\r\n\$9\r\nsubscribe/)));
  return (
    JSON.stringify(counts.map(String)) +
    messages
      .replace(/(unsubscribe\r\n\$\d\r\n)(news|other)/g, '$1one')
      .replace(/\$4\r\none|\$5\r\none/g, 'one')
  );
};

describe('pub/sub', () => {
  it.each([
    ['RESP2', ''],
    ['RESP3', 'HELLO 3\r\n'],
  ])('sends in %s what Redis sends', async (_name, hello) => {
    expect(await listen(served.server.port, hello)).toBe(await listen(redis.port, hello));
  });

  it('writes what is published to the log, under its channel', async () => {
    const client = await RespConnection.open({ host: '127.0.0.1', port: served.server.port });
    const before = served.engine.sequence;
    expect(await client.call('PUBLISH', 'logged', 'message')).toBe(0);
    const iterator = served.engine.walIterator(before);
    expect(iterator.item.bytes.toString('latin1')).toContain('\u0005\u0003\u0006logged\u0007message');
    iterator.close();
    client.close();
  });

  it('publishes from a transaction when it is done', async () => {
    const subscriber = new Redis({ port: served.server.port, host: '127.0.0.1' });
    const publisher = new Redis({ port: served.server.port, host: '127.0.0.1' });
    const heard: string[] = [];
    subscriber.on('message', (channel, message) => heard.push(`${channel}:${message}`));
    await subscriber.subscribe('tx');
    const before = served.engine.sequence;
    expect(await publisher.multi().set('k', 'v').publish('tx', 'one').get('k').exec()).toEqual([
      [null, 'OK'],
      [null, 1],
      [null, 'v'],
    ]);
    await waitUntil('the message has come', () => heard.length === 1);
    expect(await publisher.call('MPUBLISH', 'tx', 'two', 'three')).toBe(2);
    await waitUntil('the others have come', () => heard.length === 3);
    expect(heard).toEqual(['tx:one', 'tx:two', 'tx:three']);
    const iterator = served.engine.walIterator(before);
    expect(iterator.item.count).toBe(2); // one batch
    iterator.close();
    subscriber.disconnect();
    publisher.disconnect();
  });

  it('closes a subscriber that does not read', async () => {
    const lazy = await RawClient.open(served.server.port);
    await lazy.ask('SUBSCRIBE flood\r\n', '*3\r\n$9\r\nsubscribe\r\n$5\r\nflood\r\n:1\r\n');
    lazy.socket.pause();
    const publisher = await RespConnection.open({ host: '127.0.0.1', port: served.server.port });
    const message = Buffer.alloc(16 * 1024, 'x');
    await waitUntil('nobody listens any more', async () => {
      const counts = await Promise.all(
        Array.from({ length: 500 }, () => publisher.call('PUBLISH', 'flood', message)),
      );
      return counts.includes(0);
    });
    expect(String(await publisher.call('INFO', 'stats'))).toContain('limit_disconnections:1\r\n');
    publisher.close();
    lazy.close();
  });
});
