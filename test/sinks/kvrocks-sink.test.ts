import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KvrocksSink, type KvrocksSinkOptions } from '../../sinks/kvrocks/index.js';
import { Engine } from '../../src/engine/index.js';
import { type Change, Decoder, RespConnection } from '../../src/kit/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { readRedisState } from '../support/redis-state.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { SeededRandom } from '../support/seeded-random.js';
import { SinkBatches } from '../support/sink-batches.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

const signal = new AbortController().signal;
const positionKey = 'tailrace:orders:position';

/** A store and a server before it. */
class Node implements AsyncDisposable {
  readonly engine: Engine;
  readonly server: Server;
  readonly client: RespConnection;
  readonly #directory: ReturnType<typeof throwAwayDirectory>;

  static async start(name: string): Promise<Node> {
    const directory = throwAwayDirectory(name);
    const engine = await Engine.open(directory.path, { sync: 'none' });
    const server = await Server.listen(engine, { port: 0 });
    const client = await RespConnection.open({ host: '127.0.0.1', port: server.port });
    return new Node(engine, server, client, directory);
  }

  private constructor(
    engine: Engine,
    server: Server,
    client: RespConnection,
    directory: ReturnType<typeof throwAwayDirectory>,
  ) {
    this.engine = engine;
    this.server = server;
    this.client = client;
    this.#directory = directory;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.server.port}`;
  }

  async state(): Promise<unknown> {
    const state = await readRedisState(this.client);
    state.delete(positionKey);
    return [...state].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** What the log means, without the positions that a sink put there, and without numbers. */
  changes(): unknown[] {
    const decoder = new Decoder();
    const changes: Change[] = [];
    for (const batch of this.engine.walIterator(0)) {
      const transaction = decoder.decode(Buffer.from(batch.bytes));
      expect(transaction.undecodable).toEqual([]);
      changes.push(...transaction.changes);
    }
    return changes
      .filter((change) => !('key' in change) || Buffer.from(change.key).toString() !== positionKey)
      .map((change) => ({ ...change, seq: 0, index: 0 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.server.close();
    await this.engine.close();
    this.#directory.remove();
  }
}

describe('the kvrocks sink', () => {
  let source: Node;
  let target: Node;
  let commands: CommandRunner;
  let batches: SinkBatches;
  const sinks: KvrocksSink[] = [];

  beforeEach(async () => {
    source = await Node.start('kvrocks-from');
    target = await Node.start('kvrocks-to');
    commands = new CommandRunner(source.engine);
    batches = new SinkBatches(source.engine);
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose]();
  });

  const open = (options: Partial<KvrocksSinkOptions> = {}): KvrocksSink => {
    const sink = new KvrocksSink(
      {
        url: target.url,
        password: '',
        delivery: 'exactly-once',
        positionKey: 'tailrace:{pipeline}:position',
        ...options,
      },
      pluginContext(),
    );
    sinks.push(sink);
    return sink;
  };

  it('makes a copy of every type, whose own log means the same', async () => {
    const random = SeededRandom.fromEnvironment('kvrocks sink');
    for (let i = 0; i < 400; i++) {
      const key = random.below(10);
      const makers: readonly (() => unknown)[] = [
        () => commands.run('SET', `string ${key}`, i, 'PX', 9_000_000),
        () => commands.run('HSET', `hash ${key}`, `f${random.below(5)}`, i),
        () => commands.run('RPUSH', `list ${key}`, i, i),
        () => commands.run('LPOP', `list ${key}`),
        () => commands.run('LSET', `list ${key}`, 0, i),
        () => commands.run('ZADD', `zset ${key}`, random.below(9), `m${i}`),
        () => commands.run('SADD', `set ${key}`, i),
        () => commands.run('XADD', `stream ${key}`, `${i + 1}-1`, 'f', i),
        () => commands.run('EXPIRE', `hash ${key}`, 9_000),
        () => commands.run('DEL', random.pick([`list ${key}`, `hash ${key}`])),
        () => new CommandRunner(source.engine, 'other').run('SET', `string ${key}`, i),
      ];
      try {
        makers[random.below(makers.length)]?.();
      } catch (error) {
        if (!String(error).includes('LSET')) throw error; // there is no such element
      }
    }
    const sink = open();
    const claim = await sink.claim(signal);
    for (;;) {
      const batch = await batches.take(1 + random.below(50)).catch(() => undefined);
      if (batch === undefined) break;
      expect(await sink.write(batch, claim)).toEqual({ kind: 'durable' });
    }
    expect(await target.state()).toEqual(await source.state());
    await target.engine.whenDurable(target.engine.sequence);
    expect(target.changes()).toEqual(source.changes());
  });

  it('finds out by a new claim whether a batch was applied when its answer was lost', async () => {
    const proxy = await TcpProxy.open(target.server.port);
    const sink = open({ url: `redis://127.0.0.1:${proxy.port}` });
    let claim = await sink.claim(signal);
    commands.run('RPUSH', 'l', 'x');
    const first = await batches.take();
    proxy.cut();
    expect((await sink.write(first, claim)).kind).toBe('unknown');
    claim = await sink.claim(signal);
    expect(claim.position).toBeNull();
    proxy.holdReplies();
    const outcome = sink.write(first, claim);
    await waitUntil('the batch is in the target', async () => (await target.client.call('LLEN', 'l')) === 1);
    proxy.cut();
    expect((await outcome).kind).toBe('unknown');
    proxy.releaseReplies();
    expect((await sink.claim(signal)).position).toEqual(first.position);
    expect(await target.client.call('LLEN', 'l')).toBe(1);
    await proxy[Symbol.asyncDispose]();
  });

  it('applies a batch on condition only where the position is what was left there', async () => {
    commands.run('SET', 'k', 'v');
    const batch = (await batches.take()).transactions[0].bytes;
    const expectKey = (value: string) => target.client.call('APPLYBATCH', batch, 'EXPECT', 'p', value);
    expect(await expectKey('something')).toBe(0);
    expect(await expectKey('')).toBe(1);
    await target.client.call('SET', 'p', 'here');
    expect(await expectKey('')).toBe(0);
    expect(await expectKey('here')).toBe(1);
    await target.client.call('DEL', 'p');
    await target.client.call('RPUSH', 'p', 'here');
    expect(await expectKey('here')).toBe(0);
  });

  it('begins anew when somebody flushes the target', async () => {
    const sink = open();
    const claim = await sink.claim(signal);
    commands.run('RPUSH', 'l', 'first');
    expect(await sink.write(await batches.take(), claim)).toEqual({ kind: 'durable' });
    await target.client.call('FLUSHALL');
    commands.run('RPUSH', 'l', 'second');
    expect(await sink.write(await batches.take(), claim)).toMatchObject({
      kind: 'unknown',
      error: { message: expect.stringContaining('flushed') },
    });
    expect(await target.client.call('DBSIZE')).toBe(0);
    expect((await sink.claim(signal)).position).toBeNull();
  });

  it('says what to set when the target is an Apache Kvrocks, which knows no condition', async () => {
    const answer = (words: string[]): string => {
      if (words[0] === 'GET') return '$-1\r\n';
      return words.length > 3 ? '-ERR wrong number of arguments\r\n' : '+OK\r\n';
    };
    await using kvrocks = await ScriptedServer.open(answer);
    await expect(open({ url: kvrocks.url }).claim(signal)).rejects.toMatchObject({
      code: 'SINK_REFUSED',
      remedy: expect.stringContaining('at-least-once'),
    });
  });

  it('writes to an Apache Kvrocks at least once, the position in the same batch', async () => {
    const sink = open({ delivery: 'at-least-once' });
    expect(sink.guarantee).toBe('at-least-once');
    const claim = await sink.claim(signal);
    commands.run('SET', 'a', '1');
    const batch = await batches.take();
    expect(await sink.write(batch, claim)).toEqual({ kind: 'durable' });
    expect((await open({ delivery: 'at-least-once' }).claim(signal)).position).toEqual(batch.position);
    expect(String(await target.client.call('GET', 'a'))).toBe('1');
  });

  it('checks a target without claiming it', async () => {
    const sink = open();
    expect(await sink.check(signal)).toMatchObject([
      { status: 'ok' },
      { detail: expect.stringContaining('free') },
    ]);
    expect(await target.client.call('GET', positionKey)).toBeNull();
    await sink.claim(signal);
    expect(await sink.check(signal)).toMatchObject([
      { status: 'ok' },
      { detail: expect.stringContaining('at') },
    ]);
    expect(await open({ url: 'redis://127.0.0.1:1' }).check(signal)).toMatchObject([{ status: 'fail' }]);
  });

  it('is refused with a wrong password and by a position that is none', async () => {
    await target.client.call('SET', positionKey, '12 x');
    await expect(open().claim(signal)).rejects.toMatchObject({ code: 'OFFSETS_CORRUPT' });
    await target.client.call('DEL', positionKey);
    await using closed = await ScriptedServer.open((words) =>
      words[0] === 'AUTH' ? '-ERR invalid password\r\n' : '-NOAUTH Authentication required.\r\n',
    );
    await expect(open({ url: closed.url }).claim(signal)).rejects.toMatchObject({ code: 'SINK_REFUSED' });
    await expect(open({ url: closed.url, password: 'wrong' }).claim(signal)).rejects.toMatchObject({
      code: 'SINK_REFUSED',
    });
  });
});
