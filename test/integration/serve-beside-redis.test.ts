import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { RedisSink } from '../../sinks/redis/index.js';
import { reverseBits } from '../../src/data-model/encoding/bitmap-encoding.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { ByteWriter, type Reply, ReplyError, RespConnection, writeCommand } from '../../src/resp/index.js';
import { type RedisService, startRedis } from '../services/index.js';
import { comparable } from '../support/comparable-replies.js';
import { pluginContext } from '../support/plugin-context.js';
import { type RandomCommand, randomCommands } from '../support/random-commands.js';
import { readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { useServer } from '../support/use-server.js';
import { waitUntil } from '../support/wait-until.js';

/** COMMANDS=1000000 is the long setting. */
const commandCount = Number(process.env['COMMANDS'] ?? 8_000);
const perRound = 500;

/** Errors by their code word, numbers as text. */
const plain = (reply: Reply | undefined): unknown => {
  if (reply instanceof ReplyError) return `error ${reply.message.split(' ')[0]}`;
  if (typeof reply === 'number' || typeof reply === 'bigint') return reply.toString();
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(plain) : reply;
};

/** Commands one by one and in transactions, with WATCH, some discarded, some broken. */
const randomRound = (random: SeededRandom, nextCommand: () => RandomCommand): RandomCommand[] => {
  const round: RandomCommand[] = [];
  while (round.length < perRound) {
    if (random.below(10) > 0) {
      round.push(nextCommand());
      continue;
    }
    if (random.below(3) === 0) round.push(['WATCH', `k${random.below(12)}`, `k${random.below(12)}`]);
    if (random.below(3) === 0) round.push(['SET', `k${random.below(12)}`, 'touched']);
    round.push(['MULTI'], ...Array.from({ length: random.below(8) }, nextCommand));
    if (random.below(20) === 0) round.push(['NOSUCHCOMMAND']);
    round.push([random.below(10) === 0 ? 'DISCARD' : 'EXEC']);
  }
  return round;
};

/** Replies by command, those of a transaction at its EXEC by the commands in it. */
const comparableReplies = (round: readonly RandomCommand[], replies: readonly Reply[]): unknown[] => {
  let queued: string[] = [];
  return replies.map((reply, at) => {
    const name = String(round[at]?.[0]);
    const flat = plain(reply);
    if (flat === 'QUEUED') queued.push(name);
    if (name === 'MULTI') queued = [];
    if (name !== 'EXEC' || !Array.isArray(flat)) return comparable(name, flat);
    return flat.map((item, i) => comparable(queued[i] ?? '', item));
  });
};

describe('the same commands to serve and to a Redis', () => {
  const served = useServer('beside-redis', { engine: { sync: 'interval', syncIntervalMs: 50 } });
  let redis: RedisService;
  let target: RedisService;
  beforeAll(async () => {
    [redis, target] = await Promise.all([startRedis(), startRedis()]);
  });
  afterAll(async () => {
    await Promise.all([redis.stop(), target.stop()]);
  });

  it('get the same replies, and a Redis that follows the log ends with the same data', {
    timeout: 300_000 + commandCount,
  }, async () => {
    const random = SeededRandom.fromEnvironment('beside redis');
    const nextCommand = randomCommands(random);
    const [ours, theirs] = await Promise.all(
      [served.server.port, redis.port].map((port) => RespConnection.open({ host: '127.0.0.1', port })),
    );
    if (ours === undefined || theirs === undefined) throw new Error('not connected');
    const url = `redis://127.0.0.1:${served.server.port}`;
    const source = new KvrocksSource(
      { url, password: '', pollBatches: 1000, idlePollMs: 20, answerTimeoutMs: 20_000, giveUpAfterMs: 0 },
      pluginContext('follow'),
    );
    const options = { url: target.url, password: '', positionKey: 'position', namespaces: { default: '' } };
    const sink = new RedisSink(options, pluginContext('follow'));
    const stop = new AbortController();
    const pipeline = new Pipeline({
      name: 'follow',
      source,
      sinks: [{ name: 'redis', sink }],
      log: pluginContext('follow').log,
    });
    const following = pipeline.run(stop.signal);

    const history: string[] = [];
    const out = new ByteWriter();
    for (let done = 0; done < commandCount; done += perRound) {
      const round = randomRound(random, nextCommand);
      for (const words of round) writeCommand(out, [...words]);
      const bytes = out.take();
      const [left, right] = await Promise.all([
        ours.send(Buffer.from(bytes), round.length),
        theirs.send(Buffer.from(bytes), round.length),
      ]);
      const [mine, expected] = [comparableReplies(round, left), comparableReplies(round, right)];
      for (const [at, words] of round.entries()) {
        history.push(words.map((word) => JSON.stringify(word.toString('latin1'))).join(' '));
        expect(mine[at], `command ${done + at}, after\n${history.slice(-12).join('\n')}`).toEqual(
          expected[at],
        );
      }
      history.splice(0, history.length - 50);
    }

    await waitUntil(
      'the follower has caught up',
      () => (pipeline.status().sinks[0]?.position?.sequence ?? 0) === served.engine.sequence,
    );
    stop.abort();
    await following;
    await sink[Symbol.asyncDispose]();
    const followed = await RespConnection.open({ host: '127.0.0.1', port: target.port });
    await followed.call('DEL', 'position');
    const [state, copy] = [await readRedisState(theirs), await readRedisState(followed)];
    // Kvrocks' BITFIELD fills bytes from the other end: see the decoder's tests.
    const fields = state.get('fields');
    if (fields !== undefined) {
      const value = reverseBits(Buffer.from(String(fields.value), 'latin1')).toString('latin1');
      state.set('fields', { ...fields, value });
    }
    expect(Object.fromEntries(copy)).toEqual(Object.fromEntries(state));
    for (const connection of [ours, theirs, followed]) connection.close();
  });
});
