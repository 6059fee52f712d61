import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitUntil } from '../support/wait-until.js';
import { acceptsConnections, type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { coordinatesTransactions, fetchJars, lightMachine } from './kafka-service.js';
import { ensurePrograms, run } from './tools.js';

export interface KafkaClusterService {
  readonly brokers: readonly string[];
  /** Any but the first, which is the controller as well. */
  kill(index: number): Promise<void>;
  restart(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** Three real brokers; each partition is on all of them, and two must have a record before it is acknowledged. */
export const startKafkaCluster = async (): Promise<KafkaClusterService> => {
  ensurePrograms(['java']);
  const classPath = fetchJars('4.1.0');
  const directory = throwAwayDirectory('kafka-cluster');
  const controllerPort = await freePort();
  const ports = [await freePort(), await freePort(), await freePort()];
  const fileOf = (index: number): string => join(directory.path, `${index}.properties`);
  for (const [index, port] of ports.entries()) {
    const isController = index === 0;
    const controller = isController ? `,CONTROLLER://127.0.0.1:${controllerPort}` : '';
    const properties = {
      'process.roles': isController ? 'broker,controller' : 'broker',
      'node.id': index + 1,
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port}${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'PLAINTEXT',
      'log.dirs': join(directory.path, `data-${index}`),
      'default.replication.factor': 3,
      'min.insync.replicas': 2,
      'num.partitions': 6,
      'offsets.topic.replication.factor': 3,
      'transaction.state.log.replication.factor': 3,
      'transaction.state.log.min.isr': 2,
      'transaction.state.log.num.partitions': 3,
      'replica.lag.time.max.ms': 3_000,
      'broker.heartbeat.interval.ms': 200,
      'broker.session.timeout.ms': 3_000,
    };
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(fileOf(index), lines.join(''));
    const format = ['format', '-t', 'dGFpbHJhY2UtdGVzdC0wMQ', '-c', fileOf(index)];
    run('java', [...lightMachine, '-cp', classPath, 'kafka.tools.StorageTool', ...format]);
  }
  const start = (index: number): Promise<Daemon> =>
    startDaemon('java', [...lightMachine, '-cp', classPath, 'kafka.Kafka', fileOf(index)], () =>
      acceptsConnections(ports[index] ?? 0),
    );
  const daemons = await Promise.all(ports.map((_, index) => start(index)));
  await waitUntil('the brokers coordinate transactions', () => coordinatesTransactions(ports[0] ?? 0));
  return {
    brokers: ports.map((port) => `127.0.0.1:${port}`),
    kill: async (index) => daemons[index]?.end('SIGKILL'),
    restart: async (index) => {
      daemons[index] = await start(index);
    },
    stop: async () => {
      await Promise.all(daemons.map((daemon) => daemon.end('SIGKILL')));
      directory.remove();
    },
  };
};
