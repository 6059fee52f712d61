import { describe, expect, it } from 'vitest';
import { encodeCommand, type Reply, ReplyParser } from '../../src/resp/index.js';
import { faultOfEvent } from '../support/change-event-schema.js';
import { RawClient } from '../support/raw-client.js';
import { replyText } from '../support/reply-text.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const store = useServer('updates');

const poll = async (...words: (string | number)[]): Promise<{ next: number; updates: unknown[] }> => {
  const reply = replyText(await store.client.call('POLLUPDATES', ...words)) as [
    string,
    number,
    string,
    number,
    string,
    unknown[],
  ];
  if (!Array.isArray(reply)) throw new Error(String(reply));
  return { next: reply[1], updates: reply[5] };
};

describe('POLLUPDATES', () => {
  it('gives commands by namespace with FORMAT RESP', async () => {
    const start = store.engine.sequence;
    await store.client.call('SET', 'k0', 'v0');
    await store.client.call('SET', 'k1', 'v1', 'PXAT', '99999999999999');
    await store.client.call('DEL', 'k1');
    await store.client.call('JSON.SET', 'j', '$', '{"a":1}');
    expect(await poll(start, 'FORMAT', 'RESP')).toEqual({
      next: store.engine.sequence,
      updates: [
        'default',
        [
          ['SET', 'k0', 'v0'],
          ['SET', 'k1', 'v1', 'PXAT', '99999999999999'],
          ['DEL', 'k1'],
          ['DEL', 'j'],
          ['JSON.SET', 'j', '$', '{"a":1}'],
        ],
      ],
    });
    expect(await store.client.call('POLLUPDATES', 0, 'FORMAT', 'COMMAND')).toMatchObject({
      message: 'ERR invalid FORMAT option, should be RAW or RESP',
    });
  });

  it('gives events of the published schema with FORMAT JSON', async () => {
    const start = store.engine.sequence;
    await store.client.call('HSET', 'h', 'f', 'v', 'g', 'w');
    const { next, updates } = await poll(start, 'FORMAT', 'JSON');
    expect(next).toBe(store.engine.sequence);
    expect(updates.map((text) => faultOfEvent(String(text)))).toEqual([undefined, undefined, undefined]);
    expect(updates.map((text) => JSON.parse(String(text)))).toMatchObject([
      { op: 'delete', type: 'key', key: 'h' },
      { op: 'put', type: 'hash', key: 'h', field: 'g', value: 'w' },
      { op: 'put', type: 'hash', key: 'h', field: 'f', value: 'v' },
    ]);
  });

  it('gives the bytes themselves with FORMAT BINARY', async () => {
    const start = store.engine.sequence;
    await store.client.call('SET', 'binary', Buffer.from([0, 13, 10, 255]));
    const raw = (await store.client.call('POLLUPDATES', start)) as Reply[];
    const binary = (await store.client.call('POLLUPDATES', start, 'FORMAT', 'BINARY')) as Reply[];
    expect((binary[5] as Buffer[])[0]?.toString('hex').toUpperCase()).toBe(String((raw[5] as Buffer[])[0]));
  });

  it('moves the position past what MATCH and TYPE leave out', async () => {
    const start = store.engine.sequence;
    for (let i = 0; i < 50; i++) await store.client.call('SET', `other:${i}`, 'x');
    await store.client.call('SET', 'order:1', 'x');
    await store.client.call('SADD', 'order:2', 'm');
    for (let i = 0; i < 50; i++) await store.client.call('SET', `other:${i}`, 'y');
    const matched = await poll(start, 'MATCH', 'order:*', 'MATCH', 'none', 'FORMAT', 'RESP');
    expect(matched).toEqual({
      next: store.engine.sequence,
      updates: [
        'default',
        [
          ['SET', 'order:1', 'x'],
          ['DEL', 'order:2'],
          ['SADD', 'order:2', 'm'],
        ],
      ],
    });
    const sets = await poll(start, 'TYPE', 'set', 'MAX', 1000);
    expect([sets.next, sets.updates.length]).toEqual([store.engine.sequence, 1]);
    expect(await poll(start, 'MATCH', 'nothing')).toEqual({ next: store.engine.sequence, updates: [] });
    expect(await store.client.call('POLLUPDATES', 0, 'TYPE', 'nosuch')).toMatchObject({
      message: "ERR unknown TYPE 'nosuch'",
    });
  });

  it('passes over a part of the log in each answer, and lets others have their turn between', async () => {
    const start = store.engine.sequence;
    const value = Buffer.alloc(100_000);
    for (let i = 0; i < 30; i++) await store.client.call('SET', 'other', value);
    let next = start;
    let polls = 0;
    for (; next < store.engine.sequence; polls++) {
      const answer = await poll(next, 'MATCH', 'nothing');
      expect(answer.updates).toEqual([]);
      expect(Number(answer.next)).toBeGreaterThan(next);
      next = Number(answer.next);
    }
    expect(polls).toBe(3);
  });

  it('waits with BLOCK until something comes that is wanted, and no longer than told', async () => {
    const waiters = await Promise.all([store.connect(), store.connect(), store.connect()]);
    const start = store.engine.sequence;
    const [first, second, third] = waiters.map((waiter, i) =>
      waiter.call(
        'POLLUPDATES',
        start,
        'BLOCK',
        0,
        'FORMAT',
        'RESP',
        ...(i === 2 ? ['MATCH', 'wanted'] : []),
      ),
    );
    await waitUntil('all three wait', async () =>
      /blocked_clients:3/.test(String(await store.client.call('INFO', 'clients'))),
    );
    await store.client.call('SET', 'unwanted', '1');
    const expected = ['default', [['SET', 'unwanted', '1']]];
    expect((replyText(await first) as unknown[])[5]).toEqual(expected);
    expect((replyText(await second) as unknown[])[5]).toEqual(expected);
    await store.client.call('SET', 'wanted', '2');
    expect(replyText(await third)).toMatchObject({ 1: start + 2, 5: ['default', [['SET', 'wanted', '2']]] });
    const late = waiters[0]?.call('POLLUPDATES', store.engine.sequence, 'BLOCK', 20);
    expect(replyText(await late)).toMatchObject({ 1: store.engine.sequence, 5: [] });
    const filtered = waiters[0]?.call('POLLUPDATES', start, 'BLOCK', 20, 'MATCH', 'nothing');
    expect(replyText(await filtered)).toMatchObject({ 1: store.engine.sequence, 5: [] });
    for (const waiter of waiters) waiter.close();
    await store.client.call('MULTI');
    await store.client.call('POLLUPDATES', store.engine.sequence, 'BLOCK', 0);
    expect(replyText(await store.client.call('EXEC'))).toMatchObject([{ 5: [] }]);
  });

  it('starts behind a time with SINCE-TIME, or behind the sequence number if that is later', async () => {
    const { next } = await poll(0, 'SINCE-TIME', Date.now() + 60_000);
    expect(next).toBe(store.engine.sequence);
    expect((await poll(0, 'SINCE-TIME', 1, 'MAX', 1)).next).toBe(1);
    expect((await poll(5, 'SINCE-TIME', 1, 'MAX', 1)).next).toBeGreaterThan(5);
    expect(await store.client.call('POLLUPDATES', 0, 'SINCE-TIME', 'noon')).toMatchObject({
      message: 'ERR not started as an integer',
    });
  });
});

/** Reads the messages of a stream of updates. */
class StreamClient {
  readonly raw: RawClient;
  readonly #parser = new ReplyParser();

  constructor(raw: RawClient) {
    this.raw = raw;
    raw.socket.on('data', (chunk: Buffer) => this.#parser.feed(Buffer.from(chunk)));
  }

  send(...words: (string | number)[]): void {
    this.raw.write(encodeCommand(...words));
  }

  async next(): Promise<Reply> {
    let reply: Reply | undefined;
    await waitUntil('a message comes', () => {
      reply = this.#parser.next();
      return reply !== undefined;
    });
    return reply as Reply;
  }

  get isQuiet(): boolean {
    return this.#parser.next() === undefined;
  }
}

describe('STREAMUPDATES', () => {
  it('pushes batches as they commit, and resumes at any sequence number', async () => {
    const start = store.engine.sequence;
    await store.client.call('SET', 'before', '1');
    const stream = new StreamClient(await RawClient.open(store.server.port));
    stream.send('STREAMUPDATES', start, 'STRICT', 'FORMAT', 'RESP');
    expect(await stream.next()).toBe('OK');
    expect(replyText(await stream.next())).toEqual([
      'updates',
      start + 1,
      start + 1,
      ['default', [['SET', 'before', '1']]],
    ]);
    await store.client.call('SET', 'after', '2');
    expect(replyText(await stream.next())).toEqual([
      'updates',
      start + 2,
      start + 2,
      ['default', [['SET', 'after', '2']]],
    ]);
    stream.send('PING');
    expect(await stream.next()).toBe('PONG');
    stream.send('STREAMUPDATES', 'END');
    expect(await stream.next()).toBe('OK');
    stream.send('STREAMUPDATES', start + 1, 'FORMAT', 'RESP');
    expect(await stream.next()).toBe('OK');
    expect(replyText(await stream.next())).toMatchObject({
      1: start + 2,
      3: ['default', [['SET', 'after', '2']]],
    });
    stream.raw.close();
  });

  it('sends no more than its window unacknowledged', async () => {
    const start = store.engine.sequence;
    for (let i = 0; i < 20; i++) await store.client.call('SET', `window:${i}`, 'x'.repeat(100_000));
    const stream = new StreamClient(await RawClient.open(store.server.port));
    stream.send('STREAMUPDATES', start, 'FORMAT', 'BINARY', 'MAX', 1, 'WINDOW', 250_000);
    expect(await stream.next()).toBe('OK');
    let received = 0;
    for (let last = start; last < start + 20; ) {
      const burst: number[] = [];
      // Three messages of 100 kB fill the window; the last round brings the two that are left.
      for (let i = 0; i < Math.min(3, 20 - received - burst.length + i); i++)
        burst.push(((await stream.next()) as [unknown, number])[1]);
      stream.send('PING');
      expect(await stream.next()).toBe('PONG');
      expect(stream.isQuiet).toBe(true);
      received += burst.length;
      last = burst.at(-1) ?? Number.NaN;
      stream.send('STREAMUPDATES', 'ACK', last);
    }
    expect(received).toBe(20);
    stream.raw.close();
  });

  it('refuses a start that is not there, and tells the position when nothing is wanted', async () => {
    const stream = new StreamClient(await RawClient.open(store.server.port));
    stream.send('STREAMUPDATES', store.engine.sequence + 5);
    expect(await stream.next()).toMatchObject({ message: 'ERR next sequence is out of range' });
    const start = store.engine.sequence;
    await store.client.call('HSET', 'two', 'a', '1');
    stream.send('STREAMUPDATES', start + 1, 'STRICT');
    expect(await stream.next()).toMatchObject({
      message: `ERR mismatched sequence number, expected ${start + 2} but got ${start + 1}`,
    });
    stream.send('STREAMUPDATES', start, 'MATCH', 'nothing');
    expect(await stream.next()).toBe('OK');
    expect(replyText(await stream.next())).toEqual(['updates', start + 2, start + 2, []]);
    // Right behind it: held back, and told although nothing more is written.
    await store.client.call('SET', 'other', '1');
    expect(replyText(await stream.next())).toEqual(['updates', start + 3, start + 3, []]);
    stream.raw.close();
  });
});

describe('WALGET', () => {
  it('tells the records of the batch that contains a sequence number', async () => {
    await store.client.call('DEL', 'wal,get');
    await store.client.call('HSET', 'wal,get', 'field', 'v');
    const last = store.engine.sequence;
    const lines = [`start_seq=${last - 1}`, `end_seq=${last}`, 'type=LOGDATA,blob_size=1'];
    const keySize = 1 + 11 + 4 + 7 + 8 + 5;
    expect(replyText(await store.client.call('WALGET', last))).toEqual([
      ...lines,
      `type=PUT,cf=default,raw_key_size=${keySize},raw_value_size=1`,
      'type=PUT,cf=metadata,raw_key_size=19,raw_value_size=25',
    ]);
    expect(replyText(await store.client.call('WALGET', last - 1, 'detail'))).toEqual([
      ...lines.slice(0, 2),
      'type=LOGDATA,blob_size=1,blob=2',
      expect.stringMatching(
        /^type=PUT,cf=default,.*,namespace=__namespace,key=wal\\x2cget,version=[0-9a-f]{16},subkey=field$/,
      ),
      expect.stringMatching(/^type=PUT,cf=metadata,.*,namespace=__namespace,key=wal\\x2cget$/),
    ]);
    expect(await store.client.call('WALGET', last + 1)).toMatchObject({
      message: 'ERR sequence is out of range',
    });
  });
});
