import type { OptionsSchema } from '../../src/kit/index.js';
import type { Compression } from './compression.js';
import type { ValueFormat } from './record-values.js';

/** The options of a `sink: kafka` as a pipeline file has them. Times in ms. */
export interface KafkaSinkOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly delivery: 'exactly-once' | 'at-least-once';
  readonly topic: string;
  readonly key: string;
  readonly keyPattern: string;
  readonly value: ValueFormat;
  readonly deletes: 'event' | 'tombstone' | 'both';
  readonly headers: Readonly<Record<string, string>>;
  readonly source: string;
  readonly compression: Compression;
  readonly topics: {
    readonly create: boolean;
    readonly partitions: number;
    readonly replication: number;
    readonly config: Readonly<Record<string, string>>;
  };
  readonly transactionalId: string;
  readonly transactionTimeout: number;
  readonly positionTopic: string;
  readonly tls: {
    readonly enabled: boolean;
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly passphrase: string;
    readonly serverName: string;
    readonly verify: boolean;
  };
  readonly sasl: {
    readonly mechanism: 'none' | 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  readonly connectTimeout: number;
  readonly requestTimeout: number;
}

const requireBrokers = (value: unknown): void => {
  const isList = Array.isArray(value) && value.length > 0;
  if (!isList || !value.every(isBroker)) throw new Error('must be a list of brokers as host:port');
};

/** No address of a listener, as brokers have them in their own configuration: PLAINTEXT://host:port. */
const isBroker = (value: unknown): boolean =>
  typeof value === 'string' && Number(/^[^\s/@]+:(\d+)$/.exec(value)?.[1]) <= 65_535;

const requireTexts = (value: unknown): void => {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap || Object.values(value).some((item) => !['string', 'number', 'boolean'].includes(typeof item)))
    throw new Error('must be a map of names to texts');
};

export const kafkaSinkSchema: OptionsSchema<KafkaSinkOptions> = {
  brokers: { doc: 'some brokers of the cluster, as host:port', format: requireBrokers, default: [] },
  clientId: {
    doc: 'name under which brokers log and limit this client',
    format: String,
    default: 'tailrace',
  },
  delivery: {
    doc: 'exactly-once (transactions), or at-least-once (idempotent, the position in the offsets store)',
    format: ['exactly-once', 'at-least-once'],
    default: 'exactly-once',
  },
  topic: {
    doc: 'template of the topic, with {pipeline} {namespace} {type} {op} {key} {field} {position} and the names of keyPattern',
    format: 'required-string',
    default: 'cdc.{namespace}',
  },
  key: { doc: 'template of the key of a record', format: 'required-string', default: '{key}' },
  keyPattern: {
    doc: 'takes keys apart for the templates, such as {entity}:{id}; changes whose key does not match are refused',
    format: String,
    default: '',
  },
  value: {
    doc: 'event (JSON), redis (commands in RESP), or batch (the raw write batch, one record each)',
    format: ['event', 'redis', 'batch'],
    default: 'event',
  },
  deletes: {
    doc: 'a deleted key as an event, as a tombstone (null value, for compacted topics), or both',
    format: ['event', 'tombstone', 'both'],
    default: 'event',
  },
  headers: { doc: 'headers of each record: names to templates', format: requireTexts, default: {} },
  source: {
    doc: 'name of the source in the events (default: the name of the pipeline)',
    format: String,
    default: '',
  },
  compression: {
    doc: 'none, gzip, or zstd (Node.js 22.15 or later)',
    format: ['none', 'gzip', 'zstd'],
    default: 'none',
  },
  topics: {
    create: { doc: 'make topics that are not there', format: Boolean, default: true },
    partitions: {
      doc: 'of topics made here; 0 = as the brokers have it',
      format: 'whole-number',
      default: 0,
    },
    replication: {
      doc: 'of topics made here; 0 = as the brokers have it',
      format: 'whole-number',
      default: 0,
    },
    config: { doc: 'settings of topics made here', format: requireTexts, default: {} },
  },
  transactionalId: {
    doc: 'fences other processes of this pipeline',
    format: 'required-string',
    default: 'tailrace.{pipeline}',
  },
  transactionTimeout: {
    doc: 'after which brokers give up a transaction that its process has left',
    format: 'timeout',
    default: 60_000,
  },
  positionTopic: {
    doc: 'the compacted topic of the position; made when it is not there',
    format: 'required-string',
    default: 'tailrace.{pipeline}.position',
  },
  tls: {
    enabled: { doc: 'connect with TLS', format: Boolean, default: false },
    ca: { doc: 'PEM of the authorities to trust; default: those of Node.js', format: String, default: '' },
    cert: { doc: 'PEM of the client certificate', format: String, default: '' },
    key: { doc: 'PEM of its private key', format: String, default: '', sensitive: true },
    passphrase: { doc: 'of that key', format: String, default: '', sensitive: true },
    serverName: {
      doc: 'name in the brokers’ certificates, if not their host',
      format: String,
      default: '',
    },
    verify: { doc: 'false trusts any certificate: for tests alone', format: Boolean, default: true },
  },
  sasl: {
    mechanism: {
      doc: 'how to log in',
      format: ['none', 'plain', 'scram-sha-256', 'scram-sha-512'],
      default: 'none',
    },
    username: { doc: 'the user', format: String, default: '' },
    password: { doc: 'the password', format: String, default: '', sensitive: true },
  },
  connectTimeout: { doc: 'for one connection', format: 'timeout', default: 10_000 },
  requestTimeout: { doc: 'for one answer of a broker', format: 'timeout', default: 30_000 },
};
