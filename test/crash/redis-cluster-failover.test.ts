import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EngineSource } from '../../connectors/engine/index.js';
import { RedisClusterSink } from '../../sinks/redis/index.js';
import { Engine } from '../../src/engine/index.js';
import { RespConnection } from '../../src/kit/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { startRedisCluster, throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { pluginContext } from '../support/plugin-context.js';
import { readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

const failovers = Number(process.env['FAILOVERS'] ?? 1);

it(`a cluster holds exactly the source's content after ${failovers} failovers and slots moved under load`, {
  timeout: 600_000 + failovers * 60_000,
}, async () => {
  const random = SeededRandom.fromEnvironment('cluster failovers');
  const directory = throwAwayDirectory('cluster-failover');
  const engine = await Engine.open(directory.path, { sync: 'none' });
  const commands = new CommandRunner(engine);
  const cluster = await startRedisCluster({ isDurable: false, hasReplicas: true });
  const context = pluginContext('failover');
  const urls = cluster.ports.map((port) => `redis://127.0.0.1:${port}`);
  const options = { urls, password: '', positionKey: 'position', namespaces: { default: '' } };
  await using sink = new RedisClusterSink(options, context);
  const stop = new AbortController();
  const pipeline = new Pipeline({
    name: 'failover',
    source: new EngineSource(engine, { idleMs: 20 }),
    sinks: [{ name: 'redis', sink }],
    retry: { initialMs: 5, maxMs: 200 },
    log: context.log,
  });
  const done = pipeline.run(stop.signal);

  // Pushes and pops show what was carried out twice, or not at all.
  const expected = new Map<string, string[]>();
  let mark = 0;
  const writeSome = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      const key = `list ${random.below(40)}`;
      const elements = expected.get(key) ?? [];
      expected.set(key, elements);
      if (random.below(4) === 0 && elements.length > 0) {
        commands.run('LPOP', key);
        elements.shift();
      } else {
        commands.run('RPUSH', key, ++mark);
        elements.push(String(mark));
      }
    }
    await delay(5);
  };
  const call = async (port: number, ...words: string[]): Promise<string> => {
    const connection = await RespConnection.open({ host: '127.0.0.1', port });
    const reply = await connection.call(...words);
    connection.close();
    return String(reply);
  };
  const isMaster = async (port: number): Promise<boolean> =>
    call(port, 'ROLE').then(
      (role) => role.startsWith('master'),
      () => false,
    );
  const masters = async (): Promise<number[]> => {
    const found: number[] = [];
    for (const [node, port] of cluster.ports.entries()) if (await isMaster(port)) found.push(node);
    return found;
  };
  let isWriting = true;
  const writing = (async () => {
    while (isWriting) await writeSome();
  })();

  for (let failover = 0; failover < failovers; failover++) {
    await waitUntil('something is delivered', async () => (pipeline.status().sinks[0]?.writes ?? 0) > 5);
    const lost = random.pick(await masters());
    await cluster.kill(lost);
    await waitUntil('a replica took over', async () => (await masters()).length === 3);
    await cluster.restart(lost);
  }
  // A share of the slots moves from one master to another while writes go on.
  const [from, to] = await masters();
  const [fromId, toId] = [
    await call(cluster.ports[from] ?? 0, 'CLUSTER', 'MYID'),
    await call(cluster.ports[to] ?? 0, 'CLUSTER', 'MYID'),
  ];
  await cluster.reshard(fromId, toId, 300);
  isWriting = false;
  await writing;
  await waitUntil(
    'everything is delivered',
    async () => pipeline.status().sinks[0]?.position?.sequence === engine.sequence,
  );
  stop.abort();
  await done;

  const held = new Map<string, unknown>();
  for (const node of await masters()) {
    const connection = await RespConnection.open({ host: '127.0.0.1', port: cluster.ports[node] ?? 0 });
    for (const [key, { value }] of await readRedisState(connection))
      if (!key.startsWith('position')) held.set(key, value);
    connection.close();
  }
  for (const [key, elements] of expected) if (elements.length === 0) expected.delete(key);
  console.log(`${mark} elements pushed, ${pipeline.status().sinks[0]?.retries} retries`);
  expect(new Map([...held].sort())).toEqual(new Map([...expected].sort()));
  await cluster.stop();
  await engine.close();
  directory.remove();
});
