import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { KafkaCluster } from '../../sinks/kafka/cluster.js';
import { pluginContext } from '../support/plugin-context.js';
import { acceptsConnections, type Daemon, freePort, startDaemon, throwAwayDirectory } from './daemon.js';
import { cacheDirectory, ensurePrograms, run } from './tools.js';

export interface KafkaService {
  readonly version: KafkaVersion;
  readonly brokers: readonly string[];
  readonly port: number;
  /** Ports of the further listeners, by name. */
  readonly listenerPorts: Readonly<Record<string, number>>;
  /** All jars of this Kafka, for its own command-line tools. */
  readonly classPath: string;
  /** Process id of the broker as it runs now. */
  readonly pid: number;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The versions that are tested against: the last of 3.x, and one of 4.x. */
export const kafkaVersions = ['3.9.1', '4.1.0'] as const;
export type KafkaVersion = (typeof kafkaVersions)[number];

/** That of a test, unless KAFKA_VERSION says that all tests are to use one. */
const versionFor = (ofTheTest: KafkaVersion): KafkaVersion => {
  const asked = process.env['KAFKA_VERSION'];
  if (asked === undefined || asked === '') return ofTheTest;
  const version = kafkaVersions.find((each) => each === asked);
  if (version === undefined) throw new Error(`KAFKA_VERSION is one of ${kafkaVersions.join(', ')}`);
  return version;
};

/** A listener beside the plain one, such as `{ protocol: 'SASL_PLAINTEXT', settings: { 'plain.sasl.jaas.config': … } }`. */
export interface KafkaListener {
  readonly protocol: 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SSL' | 'SASL_SSL';
  /** Where clients are told to connect, when that is not the listener itself but a proxy. */
  readonly advertisedPort?: number;
  /** Settings under `listener.name.NAME.` */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface KafkaOptions {
  readonly version?: KafkaVersion;
  readonly settings?: Readonly<Record<string, string>>;
  readonly listeners?: Readonly<Record<string, KafkaListener>>;
  /** Users of SCRAM-SHA-512: names to passwords. */
  readonly scramUsers?: Readonly<Record<string, string>>;
  /** `full` for measurements; otherwise the JVM starts fast and takes little. */
  readonly jvm?: 'light' | 'full';
}

/** A real Apache Kafka broker (KRaft, one node) on the JVM; its jars come from Maven once and stay in the cache. */
export const startKafka = async (options: KafkaOptions = {}): Promise<KafkaService> => {
  const { settings = {}, listeners = {}, scramUsers = {}, jvm = 'light' } = options;
  ensurePrograms(['java']);
  const version = versionFor(options.version ?? '4.1.0');
  const classPath = fetchJars(version);
  const directory = throwAwayDirectory('kafka');
  const port = await freePort();
  const controllerPort = await freePort();
  const listenerPorts: Record<string, number> = {};
  for (const name of Object.keys(listeners)) listenerPorts[name] = await freePort();
  const further = Object.entries(listeners).map(([name, listener]) => ({
    ...{ name, ...listener },
    port: listenerPorts[name] ?? 0,
  }));
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: [
      `PLAINTEXT://127.0.0.1:${port}`,
      `CONTROLLER://127.0.0.1:${controllerPort}`,
      ...further.map((listener) => `${listener.name}://127.0.0.1:${listener.port}`),
    ].join(','),
    'advertised.listeners': [
      `PLAINTEXT://127.0.0.1:${port}`,
      ...further.map(
        (listener) => `${listener.name}://127.0.0.1:${listener.advertisedPort ?? listener.port}`,
      ),
    ].join(','),
    'listener.security.protocol.map': [
      'PLAINTEXT:PLAINTEXT',
      'CONTROLLER:PLAINTEXT',
      ...further.map((listener) => `${listener.name}:${listener.protocol}`),
    ].join(','),
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
    'broker.session.timeout.ms': '3000',
    ...Object.fromEntries(
      further.flatMap((listener) =>
        Object.entries(listener.settings ?? {}).map(([key, value]) => [
          `listener.name.${listener.name.toLowerCase()}.${key}`,
          value,
        ]),
      ),
    ),
    ...settings,
  };
  const file = join(directory.path, 'server.properties');
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const machine = jvm === 'light' ? lightMachine : fullMachine;
  const format = ['format', '-t', 'dGFpbHJhY2UtdGVzdC0wMQ', '-c', file];
  for (const [name, password] of Object.entries(scramUsers))
    format.push('--add-scram', `SCRAM-SHA-512=[name=${name},password=${password}]`);
  run('java', [...lightMachine, '-cp', classPath, 'kafka.tools.StorageTool', ...format]);
  const start = (): Promise<Daemon> =>
    startDaemon('java', [...machine, '-cp', classPath, 'kafka.Kafka', file], async () => {
      for (const own of [port, ...Object.values(listenerPorts)])
        if (!(await acceptsConnections(own))) return false;
      return coordinatesTransactions(port);
    });
  let daemon = await start();
  return {
    version,
    brokers: [`127.0.0.1:${port}`],
    port,
    listenerPorts,
    classPath,
    get pid() {
      return daemon.process.pid ?? 0;
    },
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

/** A broker accepts connections before it can do its work; it makes the topic of transactions when first asked for it. */
export const coordinatesTransactions = async (port: number): Promise<boolean> => {
  const timeouts = { connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 };
  const cluster = new KafkaCluster(
    { brokers: [`127.0.0.1:${port}`], clientId: 'test-services', tls: null, sasl: null, ...timeouts },
    pluginContext().log,
  );
  try {
    await cluster.connect();
    await cluster.findCoordinator('is-anyone-there');
    return true;
  } catch {
    return false;
  } finally {
    cluster.close();
  }
};

/** One collector and the quick compiler alone: a broker that lives for a test never gets to more. */
export const lightMachine = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const fullMachine = ['-Xmx1g', '-XX:+UseG1GC'];

/** Fetches a Kafka now, before several tests want it at once. */
export const fetchKafka = (version: KafkaVersion): void => {
  ensurePrograms(['java']);
  fetchJars(version);
};

/** The class path of a Kafka; its jars are fetched when they are not in the cache. */
export const fetchJars = (ofTheTest: KafkaVersion): string => {
  const version = versionFor(ofTheTest);
  const folder = join(cacheDirectory, `kafka-${version}`);
  if (!existsSync(folder)) {
    ensurePrograms(['mvn']);
    console.error(`test services: fetching Apache Kafka ${version} by Maven`);
    // Another process may do the same: the folder is there as a whole or not at all.
    const half = `${folder}.${process.pid}`;
    mkdirSync(half, { recursive: true });
    writeFileSync(
      join(half, 'pom.xml'),
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
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${half}`];
    run('mvn', ['-q', '-B', ...goal], process.env, half);
    try {
      renameSync(half, folder);
    } catch (error) {
      rmSync(half, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    }
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .map((name) => join(folder, name))
    .join(':');
};
