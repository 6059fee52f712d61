import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KvrocksSource, type KvrocksSourceOptions } from '../../connectors/kvrocks/index.js';
import { Engine } from '../../src/engine/index.js';
import { positionOf, type SourceBatch } from '../../src/kit/index.js';
import { Server } from '../../src/server/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { startRedis, throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { SeededRandom } from '../support/seeded-random.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

const limit = { maxBatches: 1_000, maxBytes: 1024 * 1024 };
const neverAborts = new AbortController().signal;

const sourceOf = (url: string, options: Partial<KvrocksSourceOptions> = {}): KvrocksSource =>
  new KvrocksSource(
    {
      url,
      password: '',
      pollBatches: 1_000,
      idlePollMs: 5,
      answerTimeoutMs: 60_000,
      giveUpAfterMs: 0,
      ...options,
    },
    pluginContext(),
  );

describe('the kvrocks source against a server of ours', () => {
  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const serve = async (
    password = '',
  ): Promise<{ engine: Engine; server: Server; commands: CommandRunner }> => {
    const directory = throwAwayDirectory('kvrocks-source');
    const engine = await Engine.open(directory.path, { sync: 'none' });
    const server = await Server.listen(engine, { port: 0, password });
    closing.push(
      () => directory.remove(),
      () => engine.close(),
      () => server.close(),
    );
    return { engine, server, commands: new CommandRunner(engine) };
  };
  let engine: Engine;
  let server: Server;
  let commands: CommandRunner;
  let proxy: TcpProxy;
  beforeEach(async () => {
    ({ engine, server, commands } = await serve());
    proxy = await TcpProxy.open(server.port);
    closing.push(() => proxy[Symbol.asyncDispose]());
  });

  const open = async (options: Partial<KvrocksSourceOptions> = {}): Promise<KvrocksSource> => {
    const source = sourceOf(`redis://127.0.0.1:${proxy.port}`, options);
    closing.push(() => source[Symbol.asyncDispose]());
    await source.open({ kind: 'beginning' }, neverAborts);
    return source;
  };

  /** Behind a lost connection a server is found whose history is that key `a` was set to each of these. */
  const becomeAnother = async (...values: readonly string[]): Promise<void> => {
    const other = await serve();
    for (const value of values) other.commands.run('SET', 'a', value);
    await other.commands.settled();
    proxy.turnTo(other.server.port);
    proxy.cut();
  };

  const pullTo = async (source: KvrocksSource, sequence: number): Promise<SourceBatch[]> => {
    const pulled: SourceBatch[] = [];
    while ((pulled.at(-1)?.sequence ?? 0) < sequence) {
      const more = await source.pull(limit, neverAborts);
      pulled.push(...(more?.batches ?? []));
    }
    return pulled;
  };

  it('loses nothing and repeats nothing while its connection is cut again and again', async () => {
    const random = SeededRandom.fromEnvironment('cut polls');
    for (let i = 0; i < 20_000; i++) commands.run('SET', `key ${i}`, random.bytes(random.below(200)));
    await commands.settled();
    const source = await open({ pollBatches: 50 });
    const stop = new AbortController();
    let cuts = 0;
    const cutting = (async () => {
      while (!stop.signal.aborted) {
        await delay(random.below(25));
        proxy.cut();
        cuts++;
      }
    })();
    const pulled = await pullTo(source, engine.sequence);
    stop.abort();
    await cutting;
    expect(cuts).toBeGreaterThan(0);
    expect(pulled.map((batch) => batch.sequence)).toEqual(pulled.map((_, at) => at + 1));
    expect(pulled).toHaveLength(20_000);
  });

  it('tells while it cannot be reached why, and no longer once it is', async () => {
    commands.run('SET', 'a', '1');
    await commands.settled();
    const source = await open();
    await pullTo(source, 1);
    expect(source.trouble).toBeNull();
    const gone = await TcpProxy.open(server.port);
    await gone[Symbol.asyncDispose]();
    proxy.turnTo(gone.port);
    proxy.cut();
    const pulling = pullTo(source, 2);
    await waitUntil('it is in trouble', () => (source.trouble?.forMs ?? 0) >= 50);
    expect(source.trouble?.reason).toMatch(/connection|reach|closed/);
    proxy.turnTo(server.port);
    commands.run('SET', 'a', '2');
    await pulling;
    expect(source.trouble).toBeNull();
  });

  it('notices behind a lost connection that another history has taken the place of its own', async () => {
    commands.run('SET', 'a', '1');
    await commands.settled();
    const source = await open();
    await pullTo(source, 1);
    await becomeAnother('2', '2');
    await expect(pullTo(source, 2)).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
  });

  it('notices behind a lost connection that the source lost its newest writes', async () => {
    for (const value of ['1', '2', '3']) commands.run('SET', 'a', value);
    await commands.settled();
    const source = await open();
    await pullTo(source, 3);
    await becomeAnother('1', '2');
    await expect(pullTo(source, 4)).rejects.toMatchObject({
      code: 'WAL_SEQUENCE_AHEAD',
      context: { wanted: 3 },
    });
  });

  it('checks the newest batch that it started at, although it never delivered it', async () => {
    commands.run('SET', 'a', '1');
    await commands.settled();
    const source = await open();
    await source.open({ kind: 'latest' }, neverAborts);
    await becomeAnother('2', '2');
    await expect(pullTo(source, 2)).rejects.toMatchObject({ code: 'HISTORY_MISMATCH' });
  });

  it('asks for no more than fits a pull when batches are large', async () => {
    for (let i = 0; i < 64; i++) commands.run('SET', 'large', Buffer.alloc(200_000, i));
    await commands.settled();
    const source = await open();
    const first = await source.pull(limit, neverAborts);
    expect(first?.batches.length).toBe(5);
    const rest = await pullTo(source, engine.sequence);
    expect(rest).toHaveLength(59);
  });

  it('counts an answer that never comes as a lost connection', async () => {
    commands.run('SET', 'a', '1');
    await commands.settled();
    const source = await open({ answerTimeoutMs: 300 });
    proxy.holdReplies();
    const before = proxy.joinedLines;
    const pulled = pullTo(source, 1);
    await waitUntil('it has asked on another connection', () => proxy.joinedLines > before);
    proxy.releaseReplies();
    expect(await pulled).toHaveLength(1);
  });

  it('takes its time for an answer that comes slowly, as a large batch on a slow line does', async () => {
    commands.run('SET', 'large', Buffer.alloc(4_000_000, 'x'));
    await commands.settled();
    const source = await open({ answerTimeoutMs: 1_000 });
    const before = proxy.joinedLines;
    const startMs = performance.now();
    proxy.onReply = () => {
      proxy.stall();
      setTimeout(() => proxy.resume(), 40);
    };
    expect(await pullTo(source, 1)).toHaveLength(1);
    expect(performance.now() - startMs).toBeGreaterThan(1_500);
    expect(proxy.joinedLines).toBe(before);
    proxy.onReply = () => undefined;
  });

  it('is refused at once with a wrong password or none', async () => {
    const { server: guarded } = await serve('secret');
    const url = `redis://127.0.0.1:${guarded.port}`;
    for (const password of ['wrong', '']) {
      await using source = sourceOf(url, { password });
      await source.open({ kind: 'beginning' }, neverAborts).catch(() => undefined);
      await expect(source.pull(limit, neverAborts)).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    }
    await using source = sourceOf(url, { password: 'secret' });
    await source.open({ kind: 'beginning' }, neverAborts);
  });

  it('gives up a server that cannot be reached after the time that it was given', async () => {
    await server.close();
    await using source = sourceOf(`redis://127.0.0.1:${server.port}`, { giveUpAfterMs: 100 });
    await expect(source.open({ kind: 'beginning' }, neverAborts)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
  });

  it('stops trying when it is aborted', async () => {
    await server.close();
    await using source = sourceOf(`redis://127.0.0.1:${server.port}`);
    const opening = source.open({ kind: 'beginning' }, AbortSignal.timeout(50));
    await expect(opening).rejects.toThrow();
  });
});

describe('the kvrocks source against answers that a server of ours never gives', () => {
  const at = (sequence: number, records: number): string => {
    const batch = new WriteBatchBuilder();
    for (let i = 0; i < records; i++) batch.put(1, Buffer.from('key'), Buffer.from('value'));
    if (records === 0) batch.logData(Buffer.from('nothing'));
    const bytes = batch.finish();
    bytes.writeBigUInt64LE(BigInt(sequence));
    return bytes.toString('hex').toUpperCase();
  };
  const updates = (latest: number, ...hex: string[]): string =>
    `*6\r\n$13\r\nnext_sequence\r\n:${latest}\r\n$15\r\nlatest_sequence\r\n:${latest}\r\n$7\r\nupdates\r\n` +
    `*${hex.length}\r\n${hex.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`;

  const pullFrom = async (answer: (words: string[]) => string | undefined): Promise<SourceBatch[]> => {
    await using server = await ScriptedServer.open(answer);
    await using source = sourceOf(server.url);
    await source.open({ kind: 'beginning' }, neverAborts);
    for (;;) {
      const pulled = await source.pull(limit, neverAborts);
      if (pulled !== null && pulled.batches.length > 0) return [...pulled.batches];
    }
  };

  it.each([
    ['a purged log', '-ERR mismatched sequence number, expected 1 but got 17\r\n', 'WAL_PURGED'],
    ['a version before POLLUPDATES', "-ERR unknown command 'POLLUPDATES'\r\n", 'SOURCE_UNSUPPORTED'],
    ['a namespace token', '-ERR admin permission required to perform the command\r\n', 'SOURCE_REFUSED'],
    ['a missing password', '-NOAUTH Authentication required.\r\n', 'SOURCE_REFUSED'],
    ['a status line', '+OK\r\n', 'SOURCE_UNSUPPORTED'],
    ['an update that is cut short', updates(1, 'ABCD'), 'SOURCE_UNSUPPORTED'],
    ['an update that is not hexadecimal', updates(1, `Z${at(1, 1).slice(1)}`), 'SOURCE_UNSUPPORTED'],
    ['an update of odd length', updates(1, at(1, 1).slice(1)), 'SOURCE_UNSUPPORTED'],
    ['a gap between two batches', updates(9, at(1, 2), at(4, 1)), 'WAL_GAP'],
    ['a first batch that is not the first', updates(9, at(3, 1)), 'WAL_GAP'],
  ])('says what is wrong with %s', async (_, answer, code) => {
    await expect(pullFrom(() => answer)).rejects.toMatchObject({ code });
  });

  it('tells a purged log with what was wanted and what is left', async () => {
    const answer = '-ERR mismatched sequence number, expected 1 but got 17\r\n';
    await expect(pullFrom(() => answer)).rejects.toMatchObject({ context: { wanted: 1, first: 17 } });
  });

  it('tries again while the server is loading', async () => {
    let asked = 0;
    const pulled = await pullFrom(() => (asked++ < 3 ? '-LOADING the data\r\n' : updates(1, at(1, 1))));
    expect(pulled).toHaveLength(1);
  });

  it('asks for more when a whole answer changes nothing', async () => {
    const empty = at(1, 0);
    const pulled = await pullFrom((words) => {
      const max = Number(words[3]);
      const all = [...Array.from({ length: 300 }, () => empty), at(1, 1)];
      return updates(1, ...all.slice(0, max));
    });
    expect(pulled.map((batch) => batch.count).filter((count) => count > 0)).toEqual([1]);
    expect(pulled).toHaveLength(301);
  });

  it('says so when no answer is large enough to pass over what changes nothing', async () => {
    const answer = (words: string[]): string =>
      updates(1, ...Array.from({ length: Number(words[3]) }, () => at(1, 0)));
    await expect(pullFrom(answer)).rejects.toMatchObject({ code: 'SOURCE_UNSUPPORTED' });
  });

  it('tells how far a Kvrocks has come, and how long it keeps its log, while nothing is pulled', async () => {
    let latest = 1;
    await using server = await ScriptedServer.open((words) =>
      words[0] === 'CONFIG'
        ? '*2\r\n$23\r\nrocksdb.wal_ttl_seconds\r\n$2\r\n60\r\n'
        : updates(latest, ...(words[1] === '0' ? [at(1, 1)] : [])),
    );
    await using source = sourceOf(server.url);
    await source.open({ kind: 'beginning' }, neverAborts);
    await source.pull(limit, neverAborts);
    latest = 700;
    expect(await source.retention(neverAborts)).toEqual({ latestSequence: 700, keptMs: 60_000 });
  });

  it('finds its position behind batches that change nothing', async () => {
    const history = [at(1, 1), at(2, 0), at(2, 0), at(2, 1), at(3, 1)];
    const bytes = history.map((hex) => Buffer.from(hex, 'hex'));
    await using server = await ScriptedServer.open((words) => {
      const from = words[1] === '1' ? 1 : 4;
      return updates(3, ...history.slice(from, from + Number(words[3])));
    });
    await using source = sourceOf(server.url);
    const position = positionOf({ sequence: 2, count: 1, bytes: bytes[3] });
    await source.open({ kind: 'after', position }, neverAborts);
    expect((await source.pull(limit, neverAborts))?.batches.map((batch) => batch.sequence)).toEqual([3]);
  });
});

describe('the kvrocks source against a Redis', () => {
  it('says that it is none and which version is needed', async () => {
    const redis = await startRedis();
    try {
      await using source = sourceOf(redis.url);
      await source.open({ kind: 'beginning' }, neverAborts);
      await expect(source.pull(limit, neverAborts)).rejects.toMatchObject({
        code: 'SOURCE_UNSUPPORTED',
        remedy: expect.stringContaining('2.10'),
      });
      await expect(source.open({ kind: 'latest' }, neverAborts)).rejects.toMatchObject({
        code: 'SOURCE_UNSUPPORTED',
      });
    } finally {
      await redis.stop();
    }
  });
});
