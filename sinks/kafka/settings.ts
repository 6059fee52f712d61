import { type ConnectionOptions, createSecureContext } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { messageOf, type PluginContext, positionOwner, TailraceError } from '../../src/kit/index.js';
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
    throw unusable(
      `tls.${named === 'servername' ? 'serverName' : named} is set, but tls.enabled is not: nothing would be encrypted`,
      'Write enabled: true under tls, or leave out the rest of it.',
    );
  }
  requireUsable(tls, set);
  return { ...set, rejectUnauthorized: tls.verify };
};

/** What no broker would ever see: without this it looks as if they could not be reached. */
const requireUsable = (tls: KafkaSinkOptions['tls'], set: ConnectionOptions): void => {
  for (const name of ['ca', 'cert', 'key'] as const)
    if (tls[name] !== '' && !tls[name].includes('-----BEGIN'))
      throw unusable(
        `tls.${name} is no text in PEM format`,
        `Write the contents of the file, for example as \${file:/path}.`,
      );
  if ((tls.cert === '') !== (tls.key === ''))
    throw unusable('of tls.cert and tls.key one is missing', 'Set both, or neither.');
  try {
    createSecureContext(set);
  } catch (error) {
    throw unusable(
      `tls cannot be used: ${messageOf(error)}`,
      'Check that tls.key belongs to tls.cert, and tls.passphrase to tls.key.',
    );
  }
};

const saslOf = ({ mechanism, username, password }: KafkaSinkOptions['sasl']): SASLOptions | null => {
  if (mechanism !== 'none') {
    if (username !== '') return { mechanism, username, password };
    throw unusable(
      `sasl.mechanism is ${mechanism}, but sasl.username is not set`,
      'Name the user under sasl.',
    );
  }
  if (username === '' && password === '') return null;
  throw unusable(
    'sasl names a user, but no mechanism: nobody would log in',
    'Write mechanism: plain, scram-sha-256 or scram-sha-512 under sasl, or leave out the rest of it.',
  );
};

/** What keeps a connection secret, and would be passed over silently or never work. */
const unusable = (message: string, remedy: string): TailraceError =>
  new TailraceError('CONFIG_INVALID', message, { remedy });

const texts = (map: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
