import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineSource } from '../../connectors/engine/index.js';
import { RedisSink } from '../../sinks/redis/index.js';
import { Engine } from '../../src/engine/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

describe('a pipeline into a Redis that is not always there', () => {
  let directory: ReturnType<typeof throwAwayDirectory>;
  let engine: Engine;
  let commands: CommandRunner;
  const services: RedisService[] = [];
  const clients: Redis[] = [];

  beforeEach(async () => {
    directory = throwAwayDirectory('redis-failover');
    engine = await Engine.open(directory.path, { sync: 'none' });
    commands = new CommandRunner(engine);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect();
    for (const service of services.splice(0)) await service.stop();
    await engine.close();
    directory.remove();
  });

  const redisWith = async (...settings: string[]): Promise<{ service: RedisService; client: Redis }> => {
    const service = await startRedis(['--repl-diskless-sync-delay', '0', ...settings]);
    services.push(service);
    const client = new Redis(service.port, { maxRetriesPerRequest: null });
    client.on('error', () => undefined); // it is down now and then
    clients.push(client);
    return { service, client };
  };

  /** Runs until everything that was written before `finish` is delivered. */
  const running = (port: number) => {
    const context = pluginContext('failover');
    const url = `redis://127.0.0.1:${port}`;
    const sink = new RedisSink(
      { url, password: '', positionKey: 'position', namespaces: { default: '' } },
      context,
    );
    const stop = new AbortController();
    const warnings: string[] = [];
    const pipeline = new Pipeline({
      name: 'failover',
      source: new EngineSource(engine, { idleMs: 20 }),
      sinks: [{ name: 'redis', sink }],
      retry: { initialMs: 5, maxMs: 50 },
      log: {
        ...context.log,
        warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
      },
    });
    const done = pipeline.run(stop.signal);
    const delivered = (): Promise<void> =>
      waitUntil('everything is delivered', () => {
        const [status] = pipeline.status().sinks;
        if (status?.error !== undefined && status.error !== null) throw new Error(`${status.error}`);
        return status?.position?.sequence === engine.sequence;
      });
    const finish = async (): Promise<void> => {
      await delivered();
      stop.abort();
      await done;
      await sink[Symbol.asyncDispose]();
    };
    return { warnings, delivered, finish };
  };

  it('goes on at a replica that was promoted, from where that stands', async () => {
    const [master, replica] = [await redisWith(), await redisWith()];
    await replica.client.replicaof('127.0.0.1', master.service.port);
    await waitUntil('the replica follows', async () =>
      (await replica.client.info('replication')).includes('master_link_status:up'),
    );
    await using proxy = await TcpProxy.open(master.service.port);
    const pipeline = running(proxy.port);
    for (let i = 0; i < 50; i++) commands.run('RPUSH', 'l', `${i}`);
    await pipeline.delivered();
    await waitUntil('the replica has it', async () => (await replica.client.llen('l')) === 50);
    // What comes now reaches the master alone, and is lost with it.
    await replica.client.call('REPLICAOF', 'NO', 'ONE');
    for (let i = 50; i < 80; i++) commands.run('RPUSH', 'l', `${i}`);
    await pipeline.delivered();
    expect([await master.client.llen('l'), await replica.client.llen('l')]).toEqual([80, 50]);
    proxy.turnTo(replica.service.port);
    await master.service.kill();
    for (let i = 80; i < 100; i++) commands.run('RPUSH', 'l', `${i}`);
    await pipeline.finish();
    expect(await replica.client.lrange('l', 0, -1)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    expect(pipeline.warnings.join('\n')).toMatch(/lost data, delivering again/);
  });

  it('waits while its master is made a replica, and goes on when it is a master again', async () => {
    const [first, other] = [await redisWith(), await redisWith()];
    const pipeline = running(first.service.port);
    commands.run('RPUSH', 'l', 'a');
    await pipeline.delivered();
    await first.client.replicaof('127.0.0.1', other.service.port);
    commands.run('RPUSH', 'l', 'b');
    await waitUntil('the replica has refused the write, and taken over what its master has', async () => {
      const info = await first.client.info();
      return /errorstat_(READONLY|MASTERDOWN|EXECABORT)/.test(info) && info.includes('master_link_status:up');
    });
    await first.client.call('REPLICAOF', 'NO', 'ONE');
    await pipeline.finish();
    expect(await first.client.lrange('l', 0, -1)).toEqual(['a', 'b']);
  });

  it('waits while the target is loading its data', async () => {
    const { service, client } = await redisWith(
      ...['--key-load-delay', '20000', '--rdbcompression', 'no'],
      ...['--loading-process-events-interval-bytes', '1024'], // answers every few keys
    );
    await Promise.all(Array.from({ length: 1_500 }, (_, i) => client.set(`old:${i}`, 'x'.repeat(200))));
    const pipeline = running(service.port);
    commands.run('RPUSH', 'l', 'a');
    await pipeline.delivered();
    await client.save();
    await service.kill();
    const restarted = service.restart();
    commands.run('RPUSH', 'l', 'b');
    await waitUntil('the sink was told to wait', () =>
      pipeline.warnings.some((one) => one.includes('LOADING')),
    );
    const hasty = new Redis(service.port, { enableReadyCheck: false });
    clients.push(hasty);
    await hasty.config('SET', 'key-load-delay', '0');
    await pipeline.finish();
    await restarted;
    expect(await hasty.lrange('l', 0, -1)).toEqual(['a', 'b']);
    expect(await hasty.strlen('old:1499')).toBe(200);
  });

  it('goes on by itself when the target has memory again', async () => {
    const { client } = await redisWith();
    const { port } = services[0];
    const pipeline = running(port);
    commands.run('RPUSH', 'l', 'a');
    await pipeline.delivered();
    await client.config('SET', 'maxmemory', '1');
    commands.run('RPUSH', 'l', 'b');
    await waitUntil('the target has refused it', async () => (await client.info()).includes('errorstat_OOM'));
    await client.config('SET', 'maxmemory', '0');
    await pipeline.finish();
    expect(pipeline.warnings.join('\n')).toMatch(/OOM/);
    expect(await client.lrange('l', 0, -1)).toEqual(['a', 'b']);
  });
});
