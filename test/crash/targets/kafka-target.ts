import { type ParsedEvent, parseEvent } from '../../../src/kit/index.js';
import { freePort, startKafka } from '../../services/index.js';
import { KafkaReader } from '../../support/kafka-reader.js';
import type { CrashTarget } from '../crash-target.js';
import { verifyEvents } from '../source-truth.js';

/** A Kafka that tells its clients to connect through the proxy, and a topic of several partitions. */
export const startKafkaTarget = async (): Promise<CrashTarget> => {
  const proxyPort = await freePort();
  const kafka = await startKafka({
    listeners: { PROXIED: { protocol: 'PLAINTEXT', advertisedPort: proxyPort } },
  });
  const read = async <Result>(work: (reader: KafkaReader) => Promise<Result>): Promise<Result> => {
    const reader = await KafkaReader.open(kafka.brokers);
    try {
      return await work(reader);
    } finally {
      reader.close();
    }
  };
  let held = { offset: -1, sequence: 0 };
  return {
    name: 'kafka',
    port: kafka.listenerPorts['PROXIED'],
    proxyPort,
    fencing: 'epoch',
    sinkEntry: (port) => ({
      sink: 'kafka',
      brokers: [`127.0.0.1:${port}`],
      topics: { partitions: 3 },
      requestTimeout: '5s',
    }),
    killAndRestart: async () => {
      await kafka.kill();
      await kafka.restart();
    },
    position: async () => {
      const records = await read((reader) => reader.read('tailrace.crash-kafka.position', held.offset + 1));
      const last = records.at(-1);
      if (last?.value != null) {
        const { sequence } = JSON.parse(last.value.toString()) as { sequence: number };
        held = { offset: last.offset, sequence };
      }
      return held.sequence;
    },
    verify: async (truth) => {
      const events: ParsedEvent[] = [];
      const lastOf = new Map<number, ParsedEvent>();
      for (const { partition, value } of await read((reader) => reader.read('cdc.default'))) {
        const event = parseEvent(value?.toString() ?? '');
        const before = lastOf.get(partition);
        if (before !== undefined && !isBehind(event, before))
          throw new Error(`${event.tx.first} stands behind ${before.tx.first} in partition ${partition}`);
        lastOf.set(partition, event);
        events.push(event);
      }
      await verifyEvents(
        events.sort((a, b) => (isBehind(a, b) ? 1 : -1)),
        truth,
      );
    },
    [Symbol.asyncDispose]: () => kafka.stop(),
  };
};

const isBehind = (event: ParsedEvent, before: ParsedEvent): boolean =>
  event.tx.first > before.tx.first ||
  (event.tx.first === before.tx.first && event.change.index > before.change.index);
