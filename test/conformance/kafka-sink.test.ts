import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import type { KafkaSinkOptions } from '../../sinks/kafka/index.js';
import { KafkaSink } from '../../sinks/kafka/kafka-sink.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import { freePort, type KafkaService, startKafka } from '../services/index.js';
import { kafkaOptions } from '../support/kafka-options.js';
import { KafkaReader } from '../support/kafka-reader.js';
import { pluginContext } from '../support/plugin-context.js';
import { TcpProxy } from '../support/tcp-proxy.js';

type JsonBytes = string | { readonly base64: string };
const bytesOf = (value: JsonBytes): Buffer =>
  typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64');

/** The suite has a value of 1 MiB, which base64 makes larger. */
const maxMessageBytes = 2_000_000;

let kafka: KafkaService;
/** Between the sinks and the broker. */
let proxy: TcpProxy;
let reader: KafkaReader;
/** Names of pipeline and topic change with each test: nothing is left to clean. */
let run = 0;

beforeAll(async () => {
  const proxyPort = await freePort();
  kafka = await startKafka({
    version: '3.9.1',
    listeners: { PROXIED: { protocol: 'PLAINTEXT', advertisedPort: proxyPort } },
  });
  proxy = await TcpProxy.open(kafka.listenerPorts['PROXIED'] ?? 0, proxyPort);
  reader = await KafkaReader.open(kafka.brokers);
});
afterAll(async () => {
  reader.close();
  await proxy[Symbol.asyncDispose]();
  await kafka.stop();
});

const conformance = (name: string, options: Partial<KafkaSinkOptions>): void => {
  const open = (): KafkaSink => {
    const context = pluginContext(`conformance-${run}`);
    const common = {
      brokers: [`127.0.0.1:${proxy.port}`],
      topic: 'cdc.{pipeline}',
      topics: {
        create: true,
        partitions: 4,
        replication: 1,
        config: { 'max.message.bytes': `${maxMessageBytes}` },
      },
    };
    return new KafkaSink(kafkaOptions({ ...common, ...options }), context);
  };
  sinkConformance(name, {
    open,
    contents: async () => {
      const state = new Map<string, string>();
      for (const { key, value } of await reader.read(`cdc.conformance-${run}`)) {
        const event = JSON.parse(value?.toString() ?? '') as { value: JsonBytes };
        state.set(key?.toString('hex') ?? '', bytesOf(event.value).toString('hex'));
      }
      return state;
    },
    fencing: options.delivery === 'at-least-once' ? 'none' : 'epoch',
    refusable: { key: Buffer.from('too large'), value: randomBytes(maxMessageBytes) },
    stall: async () => {
      proxy.stall();
      return async () => proxy.resume();
    },
    disconnect: async () => proxy.cut(),
    clean: async () => {
      run++;
    },
  });
};

conformance('kafka', {});
conformance('kafka, compressed', { compression: 'gzip' });
conformance('kafka, at least once', { delivery: 'at-least-once' });
