import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, Redis } from 'ioredis';
import { RedisClusterSink, RedisSink } from '../sinks/redis/index.js';
import {
  ByteWriter,
  type Claim,
  CommandEncoder,
  parseRedisUrl,
  ReplyError,
  RespConnection,
  type Sink,
  type SinkBatch,
  type WriteOutcome,
} from '../src/kit/index.js';
import { startRedis, startRedisCluster } from '../test/services/index.js';
import { pluginContext } from '../test/support/plugin-context.js';
import { alternate, type Bench, result, seconds } from './harness.js';
import { deliver, fillStore } from './log-delivery.js';

const value = Buffer.alloc(100, 'x');
const keyOf = (i: number): string => `key:${i}`;

/** What the redis sink would be without positions: the same commands, sent bare. */
class BareRedisSink implements Sink {
  readonly guarantee = 'at-least-once';
  readonly holdsPosition = false;
  readonly #url: string;
  readonly #encoder = new CommandEncoder({ foldSets: true });
  readonly #out = new ByteWriter(1024 * 1024);
  #connection: RespConnection | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async claim(): Promise<Claim> {
    this.#connection = await RespConnection.open(parseRedisUrl(this.#url));
    return { epoch: 1, position: null };
  }

  async write({ transactions }: SinkBatch): Promise<WriteOutcome> {
    const parts: Promise<unknown[]>[] = [];
    let sent = 0;
    let commands = 0;
    this.#out.clear();
    const send = (): void => {
      if (this.#connection === undefined || commands === 0) return;
      parts.push(this.#connection.send(this.#out.bytes.subarray(sent), commands));
      sent = this.#out.length;
      commands = 0;
    };
    for (let at = 0; at < transactions.length; ) {
      at = this.#encoder.appendNext(this.#out, transactions, at);
      commands += this.#encoder.commands;
      if (this.#out.length - sent > 128 * 1024) send();
    }
    send();
    for (const part of parts)
      for (const reply of await part) if (reply instanceof ReplyError) return { kind: 'fatal', error: reply };
    return { kind: 'durable' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.close();
  }
}

/** What exactness costs: the position in the same transaction, and in a cluster a position for each slot. */
export const redisExactnessBench: Bench = {
  name: 'redis-exactness',
  summary: 'the redis sink against itself without positions, and into a cluster of three masters',
  run: async ({ isQuick }) => {
    const count = isQuick ? 100_000 : 500_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const service = await startRedis();
    const cluster = await startRedisCluster({ isDurable: false });
    const [port = 0] = cluster.ports;
    const redis = new Redis(service.port);
    const client = new Cluster([{ host: '127.0.0.1', port }], { enableAutoPipelining: true });
    try {
      const engine = await fillStore(join(directory, 'store'), count, keyOf, value);
      const options = { password: '', positionKey: 'tailrace:position', namespaces: { default: '' } };
      const context = pluginContext('bench');
      const rateInto = async (sink: Sink): Promise<number> => {
        await redis.flushall();
        for (const node of client.nodes('master')) await node.flushall();
        await using target = sink;
        return count / (await seconds(() => deliver(engine, target)));
      };
      const byClient = async (): Promise<number> => {
        for (const node of client.nodes('master')) await node.flushall();
        const took = await seconds(async () => {
          for (let from = 0; from < count; from += 5_000) {
            const some = Math.min(5_000, count - from);
            await Promise.all(Array.from({ length: some }, (_, at) => client.set(keyOf(from + at), value)));
          }
        });
        return count / took;
      };
      const single = (): Sink => new RedisSink({ url: service.url, ...options }, context);
      const urls = [`redis://127.0.0.1:${port}`];
      const spread = (): Sink => new RedisClusterSink({ urls, ...options }, context);
      for (const make of [single, spread]) await rateInto(make()); // compiles the way that all of them go
      const [exact = 0, bare = 0, slots = 0, auto = 0] = await alternate(isQuick ? 1 : 5, [
        () => rateInto(single()),
        () => rateInto(new BareRedisSink(service.url)),
        () => rateInto(spread()),
        byClient,
      ]);
      await engine.close();
      return [
        result(
          'log to Redis, exactly once',
          exact,
          'changes/s',
          'the same sink without positions',
          bare,
          0.95,
        ),
        result(
          'log to a cluster, a position for each slot',
          slots,
          'changes/s',
          'ioredis, no positions',
          auto,
          0.4,
        ),
      ];
    } finally {
      redis.disconnect();
      client.disconnect();
      await service.stop();
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
