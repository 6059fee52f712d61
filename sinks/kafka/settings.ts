import type { ConnectionOptions } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { type PluginContext, positionOwner } from '../../src/kit/index.js';
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
  if (!tls.enabled) return null;
  const given = {
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    passphrase: tls.passphrase,
    servername: tls.serverName,
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  return { ...set, rejectUnauthorized: tls.verify };
};

const saslOf = ({ mechanism, username, password }: KafkaSinkOptions['sasl']): SASLOptions | null =>
  mechanism === 'none' ? null : { mechanism, username, password };

const texts = (map: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
