import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { RedisSink } from '../sinks/redis/index.js';
import type { Engine } from '../src/engine/index.js';
import { ByteWriter, writeCommand } from '../src/kit/index.js';
import { startRedis } from '../test/services/index.js';
import { pluginContext } from '../test/support/plugin-context.js';
import { alternate, type Bench, result, seconds } from './harness.js';
import { deliver, fillStore } from './log-delivery.js';

const value = Buffer.alloc(100, 'x');
const keyOf = (i: number): string => `key:${i}`;

const writeCommandFile = async (path: string, count: number): Promise<void> => {
  const file = createWriteStream(path);
  const out = new ByteWriter(1024 * 1024);
  for (let i = 0; i < count; i++) {
    writeCommand(out, ['SET', keyOf(i), value]);
    if (out.length > 512 * 1024 && !file.write(out.take())) await once(file, 'drain');
  }
  await new Promise<void>((resolve) => file.end(out.take(), resolve));
};

const deliverTo = async (engine: Engine, url: string): Promise<void> => {
  const options = { url, password: '', positionKey: 'position', namespaces: { default: '' } };
  await using sink = new RedisSink(options, pluginContext('bench'));
  await deliver(engine, sink);
};

const pipe = (port: number, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const input = openSync(path, 'r');
    const program = spawn('redis-cli', ['-p', `${port}`, '--pipe'], { stdio: [input, 'ignore', 'inherit'] });
    program.once('error', reject);
    program.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`redis-cli ended with ${code}`)),
    );
  });

const pipelineByClient = async (port: number, count: number): Promise<void> => {
  const redis = new Redis(port);
  for (let from = 0; from < count; from += 1_000) {
    const pipeline = redis.pipeline();
    for (let i = from; i < Math.min(count, from + 1_000); i++) pipeline.set(keyOf(i), value);
    await pipeline.exec();
  }
  redis.disconnect();
};

/** Counted at the target: the rate only counts when every key is there. */
export const redisSinkBench: Bench = {
  name: 'redis-sink',
  summary: 'SETs of 100 B from the log into a Redis, exactly once, against redis-cli --pipe and ioredis',
  run: async ({ isQuick }) => {
    const count = isQuick ? 100_000 : 1_000_000;
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const service = await startRedis();
    const redis = new Redis(service.port);
    try {
      const engine = await fillStore(join(directory, 'store'), count, keyOf, value);
      const file = join(directory, 'commands.resp');
      await writeCommandFile(file, count);
      const rateOf = async (work: () => Promise<void>, extraKeys: number): Promise<number> => {
        await redis.flushall();
        const took = await seconds(work);
        const keys = await redis.dbsize();
        if (keys !== count + extraKeys) throw new Error(`the target holds ${keys} keys of ${count}`);
        return count / took;
      };
      const [ours = 0, cli = 0, client = 0] = await alternate(isQuick ? 1 : 3, [
        () => rateOf(() => deliverTo(engine, service.url), 1),
        () => rateOf(() => pipe(service.port, file), 0),
        () => rateOf(() => pipelineByClient(service.port, count), 0),
      ]);
      await engine.close();
      return [
        result('log to Redis, exactly once', ours, 'changes/s', 'redis-cli --pipe', cli, 0.8),
        result('log to Redis, exactly once', ours, 'changes/s', 'an ioredis pipeline of 1,000', client, 3.5),
      ];
    } finally {
      redis.disconnect();
      await service.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
