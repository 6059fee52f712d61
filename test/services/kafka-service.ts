import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptsConnections, type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { cacheDirectory, ensurePrograms, run } from './tools.js';

export interface KafkaService {
  readonly brokers: readonly string[];
  readonly port: number;
  /** All jars of this Kafka, for its own command-line tools. */
  readonly classPath: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export type KafkaVersion = '3.9.1' | '4.1.0';

/** A real Apache Kafka broker (KRaft, one node) on the JVM; its jars come from Maven once and stay in the cache. */
export const startKafka = async (
  version: KafkaVersion = '4.1.0',
  settings: Readonly<Record<string, string>> = {},
): Promise<KafkaService> => {
  ensurePrograms(['java']);
  const classPath = fetchJars(version);
  const directory = throwAwayDirectory('kafka');
  const port = await freePort();
  const controllerPort = await freePort();
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(directory.path, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker's registration must lapse soon, or its restart waits for it.
    'broker.heartbeat.interval.ms': '200',
    'broker.session.timeout.ms': '1500',
    ...settings,
  };
  const file = join(directory.path, 'server.properties');
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  run('java', [
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    'dGFpbHJhY2UtdGVzdC0wMQ',
    '-c',
    file,
  ]);
  const start = (): Promise<Daemon> =>
    startDaemon('java', ['-Xmx512m', '-cp', classPath, 'kafka.Kafka', file], () => acceptsConnections(port));
  let daemon = await start();
  return {
    brokers: [`127.0.0.1:${port}`],
    port,
    classPath,
    kill: () => daemon.end('SIGKILL'),
    restart: async () => {
      daemon = await start();
    },
    stop: async () => {
      await daemon.end('SIGKILL');
      directory.remove();
    },
  };
};

const fetchJars = (version: KafkaVersion): string => {
  const folder = join(cacheDirectory, `kafka-${version}`);
  const complete = join(folder, '.complete');
  if (!existsSync(complete)) {
    ensurePrograms(['mvn']);
    console.error(`test services: fetching Apache Kafka ${version} by Maven`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'pom.xml'),
      `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`,
    );
    run(
      'mvn',
      ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`],
      process.env,
      folder,
    );
    writeFileSync(complete, '');
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .map((name) => join(folder, name))
    .join(':');
};
