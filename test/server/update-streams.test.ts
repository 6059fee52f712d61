import { describe, expect, it } from 'vitest';
import { encodeCommand, type Reply, ReplyParser, RespConnection } from '../../src/resp/index.js';
import { RawClient } from '../support/raw-client.js';
import { SeededRandom } from '../support/seeded-random.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const store = useServer('update-streams', { engine: { sync: 'interval', syncIntervalMs: 5 } });

/** One connection's stream, until it is cut. */
class Stream {
  readonly #raw: RawClient;
  readonly #parser = new ReplyParser();
  readonly #messages: Reply[] = [];

  static async open(...words: (string | number)[]): Promise<Stream> {
    const stream = new Stream(await RawClient.open(store.server.port));
    stream.send('STREAMUPDATES', ...words);
    expect(await stream.next()).toBe('OK');
    return stream;
  }

  private constructor(raw: RawClient) {
    this.#raw = raw;
    raw.socket.on('data', (chunk: Buffer) => {
      this.#parser.feed(Buffer.from(chunk));
      for (let reply = this.#parser.next(); reply !== undefined; reply = this.#parser.next())
        this.#messages.push(reply);
    });
  }

  get waiting(): number {
    return this.#messages.length;
  }

  send(...words: (string | number)[]): void {
    this.#raw.write(encodeCommand(...words));
  }

  async next(): Promise<Reply> {
    await waitUntil('a message comes', () => this.#messages.length > 0);
    return this.#messages.shift() as Reply;
  }

  cut(): void {
    this.#raw.socket.destroy();
  }
}

/** Writes of one batch each: single commands, transactions, and some that change nothing. */
const writeSomething = async (random: SeededRandom): Promise<void> => {
  const key = `k${random.below(20)}`;
  const kind = random.below(5);
  if (kind === 0) await store.client.call('SET', key, 'x'.repeat(random.below(3_000)));
  else if (kind === 1) await store.client.call('HSETNX', `h${key}`, 'f', 'v');
  else if (kind === 2) await store.client.call('DEL', key, `h${key}`);
  else if (kind === 3) await store.client.call('RPUSH', `l${key}`, ...Array.from({ length: 9 }, String));
  else {
    const words = Array.from({ length: random.below(6) }, () => encodeCommand('INCR', 'n'));
    const bytes = Buffer.concat([encodeCommand('MULTI'), ...words, encodeCommand('EXEC')]);
    await store.client.send(bytes, words.length + 2);
  }
};

interface Message {
  readonly next: number;
  readonly batches: readonly Buffer[];
}

const messageOf = (reply: Reply): Message => {
  const [word, next, latest, batches] = reply as [Buffer, number, number, Buffer[]];
  expect(String(word)).toBe('updates');
  expect(latest).toBeGreaterThanOrEqual(next);
  return { next, batches };
};

describe('a stream of updates that is read slowly and cut again and again', () => {
  it('gives each batch once and in order to whoever goes on from what he has handled', async () => {
    const random = SeededRandom.fromEnvironment('streams');
    const start = store.engine.sequence;
    let isWriting = true;
    const writes = random.fork();
    const writing = (async () => {
      for (let i = 0; i < 1_500; i++) await writeSomething(writes);
      await store.client.call('SET', 'last', '1'); // so that something comes as long as it is said to
      isWriting = false;
    })();
    const received: Buffer[] = [];
    let handled = start;
    let connections = 0;
    while (isWriting || handled < store.engine.sequence) {
      connections++;
      const window = 1 + random.below(20_000);
      const max = 1 + random.below(20);
      const stream = await Stream.open(handled, 'STRICT', 'FORMAT', 'BINARY', 'MAX', max, 'WINDOW', window);
      const unacknowledged: number[] = [];
      const messages = 1 + random.below(7); // so few that there are several connections, however fast it is read
      for (let i = 0; i < messages && (isWriting || handled < store.engine.sequence); i++) {
        // The server holds back when too much is not acknowledged: then what is owed must be told first.
        if (random.below(3) === 0 || stream.waiting === 0)
          for (const sequence of unacknowledged.splice(0)) stream.send('STREAMUPDATES', 'ACK', sequence);
        const { next, batches } = messageOf(await stream.next());
        expect(next).toBeGreaterThanOrEqual(handled);
        received.push(...batches);
        handled = next;
        unacknowledged.push(next);
        if (!isWriting && handled === store.engine.sequence) break;
      }
      stream.cut();
    }
    await writing;
    expect(connections).toBeGreaterThan(5);

    const logged: Buffer[] = [];
    for (let at = start; at < store.engine.sequence; ) {
      const reply = (await store.client.call('POLLUPDATES', at, 'MAX', 1000, 'FORMAT', 'BINARY')) as Reply[];
      logged.push(...(reply[5] as Buffer[]));
      at = reply[1] as number;
    }
    const counted = (batches: readonly Buffer[]): string[] =>
      batches.filter((batch) => batch.readUInt32LE(8) > 0).map((batch) => batch.toString('base64'));
    expect(counted(received)).toEqual(counted(logged));
  });

  it('starts in the middle of a batch with all of it, and is refused there when it is strict', async () => {
    const before = store.engine.sequence;
    await store.client.call('MSET', 'a', '1', 'b', '2', 'c', '3');
    for (const inside of [before, before + 1, before + 2]) {
      const stream = await Stream.open(inside, 'FORMAT', 'BINARY');
      const { next, batches } = messageOf(await stream.next());
      expect([next, batches.length, batches[0]?.readUInt32LE(8)]).toEqual([before + 3, 1, 3]);
      stream.cut();
    }
    const refused = await RespConnection.open({ host: '127.0.0.1', port: store.server.port });
    expect(String(await refused.call('STREAMUPDATES', before + 1, 'STRICT'))).toContain('mismatched');
    refused.close();
  });

  it('takes acknowledgements of nothing, twice and too far as what they are worth, and goes on', async () => {
    const start = store.engine.sequence;
    const stream = await Stream.open(start, 'FORMAT', 'RESP', 'WINDOW', 1);
    for (const word of ['x', '-1', '0', String(start), '99999999']) stream.send('STREAMUPDATES', 'ACK', word);
    for (let i = 1; i <= 3; i++) {
      await store.client.call('SET', 'acked', String(i));
      expect((await stream.next()) as unknown[]).toMatchObject({ 1: start + i });
      stream.send('STREAMUPDATES', 'ACK', start + i);
      stream.send('STREAMUPDATES', 'ACK', start + i);
    }
    stream.cut();
  });
});
