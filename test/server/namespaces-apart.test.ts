import { beforeAll, describe, expect, it } from 'vitest';
import { ByteWriter, ReplyError, writeCommand } from '../../src/resp/index.js';
import { CommandClient } from '../support/command-client.js';
import { comparable } from '../support/comparable-replies.js';
import { randomCommands } from '../support/random-commands.js';
import { replyText } from '../support/reply-text.js';
import { SeededRandom } from '../support/seeded-random.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

const store = useServer('namespaces-apart', { engine: { sync: 'none' }, server: { password: 'secret' } });
const names = ['', 'a', 'b'];
beforeAll(async () => {
  for (const name of ['a', 'b']) await store.client.call('NAMESPACE', 'ADD', name, `token-${name}`);
});

/** Numbers as text, and of errors the code word. */
const flat = (reply: unknown): unknown => {
  if (reply instanceof ReplyError) return `error ${reply.message.split(' ')[0]}`;
  if (typeof reply === 'string' && reply.startsWith('error ')) return reply.split(' ').slice(0, 2).join(' ');
  if (typeof reply === 'number' || typeof reply === 'bigint') return reply.toString();
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(flat) : reply;
};

describe('three namespaces of one store that are written to at the same time', () => {
  it('answer each as a store that is alone, to commands of every type', async () => {
    const random = SeededRandom.fromEnvironment('namespaces apart');
    const clients = await Promise.all(
      ['secret', 'token-a', 'token-b'].map((password) => store.connect(password)),
    );
    const alone = names.map(() => new CommandClient());
    const makers = names.map(() => randomCommands(random.fork()));
    for (let round = 0; round < 8; round++) {
      const calls = makers.map((next) => Array.from({ length: 100 }, next));
      const replies = await Promise.all(
        clients.map((client, at) => {
          const out = new ByteWriter();
          for (const words of calls[at]) writeCommand(out, [...words]);
          return client.send(Buffer.from(out.take()), 100);
        }),
      );
      for (const [at, words] of calls.entries())
        for (const [index, call] of words.entries()) {
          const name = String(call[0]);
          const shown = `${names[at]}> ${call.map((word) => JSON.stringify(word.toString('latin1'))).join(' ')}`;
          expect(comparable(name, flat(replies[at]?.[index])), shown).toEqual(
            comparable(name, flat(alone[at]?.run(...call))),
          );
        }
    }
    for (const client of clients) client.close();
  });

  it('show and move nobody else’s clients, channels and calls that wait', async () => {
    const [a, b] = await Promise.all([store.connect('token-a'), store.connect('token-b')]);
    const waiting = b.call('BLPOP', 'waits', 0);
    await waitUntil('b waits', async () =>
      /blocked_clients:1/.test(String(await store.client.call('INFO', 'clients'))),
    );
    const idOfB =
      /id=(\d+)[^\n]*namespace=b/.exec(String(await store.client.call('CLIENT', 'LIST')))?.[1] ?? '';
    expect(String(await a.call('CLIENT', 'LIST'))).not.toContain('namespace=b');
    expect(await a.call('CLIENT', 'KILL', 'ID', idOfB)).toBe(0);
    expect(await a.call('CLIENT', 'UNBLOCK', idOfB)).toBe(0);
    await a.call('RPUSH', 'waits', 'in a');
    expect(await store.client.call('CLIENT', 'UNBLOCK', idOfB)).toBe(1);
    expect(await waiting).toBeNull();

    const listener = await store.connect('token-b');
    await listener.call('SUBSCRIBE', 'c');
    const other = await store.connect('token-b');
    await other.call('PSUBSCRIBE', '*');
    expect(replyText(await a.call('PUBSUB', 'CHANNELS'))).toEqual([]);
    expect(replyText(await a.call('PUBSUB', 'NUMSUB', 'c'))).toEqual(['c', 0]);
    expect(await a.call('PUBSUB', 'NUMPAT')).toBe(0);
    expect(await a.call('SPUBLISH', 'c', 'm')).toBe(0);
    expect(replyText(await b.call('PUBSUB', 'CHANNELS'))).toEqual(['c']);
    expect([await b.call('PUBSUB', 'NUMPAT'), await b.call('PUBLISH', 'c', 'm')]).toEqual([1, 2]);
    for (const client of [a, b, listener, other]) client.close();
  });

  it('keep what looks behind the keys to themselves', async () => {
    const [a, b] = await Promise.all([store.connect('token-a'), store.connect('token-b')]);
    await Promise.all([a.call('FLUSHDB'), b.call('FLUSHDB')]);
    await b.call('SET', 'mine', 'x'.repeat(100));
    await b.call('RPUSH', 'list', '1');
    await b.call('SET', 'weight_1', '5');
    for (const [words, answer] of [
      [['MEMORY', 'USAGE', 'mine'], null],
      [['DISK', 'USAGE', 'mine'], null],
      [['OBJECT', 'ENCODING', 'mine'], null],
      [['DUMP', 'mine'], null],
      [['TYPE', 'mine'], 'none'],
      [['KMETADATA', 'mine'], 'ERR no such key'],
      [['RANDOMKEY'], null],
      [['DBSIZE'], 0],
      [['KEYS', '*'], []],
      [
        ['SCAN', '0'],
        ['0', []],
      ],
      [['COPY', 'mine', 'copy'], 0],
      [['MOVEX', 'mine', 'token-a'], 0],
      [['EXISTS', 'mine', 'list'], 0],
    ] as const)
      expect([words, replyText(await a.call(...words))]).toEqual([words, answer]);
    await a.call('RPUSH', 'numbers', '2', '1');
    expect(replyText(await a.call('SORT', 'numbers', 'BY', 'weight_*', 'GET', 'weight_*'))).toEqual([
      null,
      null,
    ]);
    await a.call('WATCH', 'mine');
    await b.call('SET', 'mine', 'changed');
    await a.call('MULTI');
    await a.call('SET', 'ok', '1');
    expect(replyText(await a.call('EXEC'))).toEqual(['OK']);
    // A cursor of one namespace means nothing in another.
    for (let i = 0; i < 30; i++) await b.call('SET', `many${i}`, '1');
    const [cursor] = replyText(await b.call('SCAN', '0', 'COUNT', '5')) as [string];
    expect(cursor).not.toBe('0');
    const [, keys] = (replyText(await a.call('SCAN', cursor)) as [string, string[]]) ?? [];
    expect((keys ?? []).filter?.((key) => key.startsWith('many')) ?? []).toEqual([]);
    for (const client of [a, b]) client.close();
  });
});
