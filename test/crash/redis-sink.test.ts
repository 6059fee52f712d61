import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EngineSource } from '../../connectors/engine/index.js';
import { RedisSink } from '../../sinks/redis/index.js';
import { Engine } from '../../src/engine/index.js';
import { isTailraceError, parseRedisUrl, RespConnection } from '../../src/kit/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { startRedis, throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const faults = Number(process.env['FAULTS'] ?? 30);

/** Commands whose effect shows when one is left out or carried out twice. */
const writeSomething = (commands: CommandRunner, random: SeededRandom, mark: number): void => {
  const key = random.below(8);
  switch (random.below(7)) {
    case 0:
      return void commands.run('SET', `string ${key}`, mark);
    case 1:
      return void commands.run('HSET', `hash ${key}`, `field ${random.below(5)}`, mark);
    case 2:
      return void commands.run('ZADD', `zset ${key}`, mark, `member ${random.below(5)}`);
    case 3:
      return void commands.run('LPOP', `list ${key}`);
    case 4:
      return void commands.run('LPUSH', `list ${key}`, mark);
    case 5:
      return void commands.run('XADD', `stream ${key}`, `${mark}-1`, 'field', mark);
    default:
      return void commands.run('RPUSH', `list ${key}`, mark, `${mark} again`);
  }
};

it(`a Redis holds exactly the source's content after ${faults} cuts, kills of the server and takeovers`, {
  timeout: 300_000 + faults * 20_000,
}, async () => {
  const random = SeededRandom.fromEnvironment('redis sink faults');
  const directory = throwAwayDirectory('redis-sink-crash');
  const engine = await Engine.open(directory.path, { sync: 'none' });
  const commands = new CommandRunner(engine);
  const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  const calm = await startRedis();
  const proxy = await TcpProxy.open(redis.port);
  const seen = { retries: 0, fenced: 0, cuts: 0, kills: 0 };

  const start = (url: string) => {
    const context = pluginContext('faults');
    const options = { url, password: '', positionKey: 'position', namespaces: { default: '' } };
    const sink = new RedisSink(options, context);
    const stop = new AbortController();
    const pipeline = new Pipeline({
      name: 'faults',
      source: new EngineSource(engine, { idleMs: 20 }),
      sinks: [{ name: 'redis', sink }],
      batch: { maxChanges: 1 + random.below(60) },
      pullBatches: 1 + random.below(30),
      retry: { initialMs: 1, maxMs: 50 },
      log: context.log,
    });
    const done = pipeline.run(stop.signal).catch((error: unknown) => {
      if (!isTailraceError(error, 'SINK_FENCED')) throw error;
      seen.fenced++;
    });
    const end = async (): Promise<void> => {
      stop.abort();
      await done;
      seen.retries += pipeline.status().sinks[0]?.retries ?? 0;
      await sink[Symbol.asyncDispose]();
    };
    const reached = async (): Promise<void> => {
      while ((pipeline.status().sinks[0]?.position?.sequence ?? 0) < engine.sequence) await delay(5);
      await end();
    };
    return { end, reached };
  };

  let mark = 0;
  let isWriting = true;
  const writing = (async () => {
    while (isWriting) {
      for (let i = 0; i < 40; i++) writeSomething(commands, random, ++mark);
      await commands.settled();
      await delay(2);
    }
  })();
  let current = start(`redis://127.0.0.1:${proxy.port}`);
  for (let fault = 0; fault < faults; fault++) {
    await delay(random.below(60));
    const kind = random.below(10);
    if (kind < 6) {
      seen.cuts++;
      if (random.below(2) === 0) proxy.holdReplies();
      await delay(random.below(4));
      proxy.cut();
      proxy.releaseReplies();
    } else if (kind < 8) {
      const zombie = current;
      current = start(`redis://127.0.0.1:${proxy.port}`);
      await delay(random.below(40));
      await zombie.end();
    } else {
      seen.kills++;
      await redis.killAndRestart();
    }
  }
  isWriting = false;
  await writing;
  await current.end();
  await start(`redis://127.0.0.1:${proxy.port}`).reached();
  await start(calm.url).reached();

  const stateOf = async (url: string): Promise<unknown> => {
    const connection = await RespConnection.open(parseRedisUrl(url));
    const state = await readRedisState(connection);
    connection.close();
    state.delete('position');
    return [...state].sort(([a], [b]) => (a < b ? -1 : 1));
  };
  console.log(`${mark} commands, ${JSON.stringify(seen)}`);
  expect(await stateOf(redis.url)).toEqual(await stateOf(calm.url));
  await proxy[Symbol.asyncDispose]();
  await redis.stop();
  await calm.stop();
  await engine.close();
  directory.remove();
});
