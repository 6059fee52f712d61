import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { type PluginContext, positionOwner, TailraceError } from '../../src/kit/index.js';
import type { ClusterOptions } from './cluster.js';
import { codecOf } from './compression.js';
import type { KafkaSinkOptions } from './kafka-options.js';
import type { ProducerOptions } from './producer.js';
import type { RecordSettings } from './record-writer.js';
import type { TopicSettings } from './topics.js';

/** The options of a sink, sorted by the part of it that they are for. */
export interface KafkaSinkSettings {
  readonly cluster: ClusterOptions;
  readonly records: RecordSettings;
  readonly topics: TopicSettings;
  readonly producer: ProducerOptions;
  /** Name of the compacted topic that holds the position. */
  readonly positionTopic: string;
  /** The key of the position in that topic. */
  readonly owner: string;
}

export const settingsOf = (options: KafkaSinkOptions, context: PluginContext): KafkaSinkSettings => {
  const owner = positionOwner(context, 'kafka');
  const isTransactional = options.delivery === 'exactly-once';
  const { connectTimeout: connectTimeoutMs, requestTimeout: requestTimeoutMs } = options;
  const named = (template: string): string => template.replaceAll('{pipeline}', owner);
  return {
    cluster: {
      brokers: options.brokers,
      clientId: options.clientId,
      tls: tlsOf(options.tls),
      sasl: saslOf(options.sasl),
      connectTimeoutMs,
      requestTimeoutMs,
    },
    records: {
      topic: options.topic,
      key: options.key,
      keyPattern: options.keyPattern,
      value: options.value,
      deletes: options.deletes,
      headers: texts(options.headers),
      source: options.source,
    },
    topics: { ...options.topics, config: texts(options.topics.config) },
    producer: {
      transactionalId: isTransactional ? named(options.transactionalId) : null,
      transactionTimeoutMs: options.transactionTimeout,
      requestTimeoutMs,
      codec: codecOf(options.compression),
    },
    owner,
    positionTopic: named(options.positionTopic).replace(/[^a-zA-Z0-9._-]/g, '_'),
  };
};

const tlsOf = (tls: KafkaSinkOptions['tls']): ConnectionOptions | null => {
  const given = {
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    passphrase: tls.passphrase,
    servername: tls.serverName,
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  if (!tls.enabled) {
    const [named] = Object.keys(set);
    if (named === undefined) return null;
    throw halfSet(
      `tls.${named === 'servername' ? 'serverName' : named} is set, but tls.enabled is not: nothing would be encrypted`,
      'Write enabled: true under tls, or leave out the rest of it.',
    );
  }
  return { ...set, rejectUnauthorized: tls.verify };
};

const saslOf = ({ mechanism, username, password }: KafkaSinkOptions['sasl']): SASLOptions | null => {
  if (mechanism !== 'none') {
    if (username !== '') return { mechanism, username, password };
    throw halfSet(
      `sasl.mechanism is ${mechanism}, but sasl.username is not set`,
      'Name the user under sasl.',
    );
  }
  if (username === '' && password === '') return null;
  throw halfSet(
    'sasl names a user, but no mechanism: nobody would log in',
    'Write mechanism: plain, scram-sha-256 or scram-sha-512 under sasl, or leave out the rest of it.',
  );
};

/** What would be passed over silently, and is what keeps a connection secret. */
const halfSet = (message: string, remedy: string): TailraceError =>
  new TailraceError('CONFIG_INVALID', message, { remedy });

const texts = (map: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
