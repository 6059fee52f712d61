import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { KafkaSinkOptions } from '../../../sinks/kafka/index.js';
import { KafkaSink } from '../../../sinks/kafka/kafka-sink.js';
import { claimPatiently } from '../../../src/kit/conformance/claim-patiently.js';
import { type Claim, parseEvent, type SinkBatch, type WriteOutcome } from '../../../src/kit/index.js';
import { type KafkaService, startKafka } from '../../services/index.js';
import { kafkaOptions } from '../../support/kafka-options.js';
import { KafkaReader, type ReadRecord } from '../../support/kafka-reader.js';
import { pluginContext } from '../../support/plugin-context.js';
import { TestSource } from '../../support/test-source.js';

const { signal } = new AbortController();

/** A sink that was claimed. */
export interface ClaimedSink {
  readonly sink: KafkaSink;
  readonly claim: Claim;
  write(batch: SinkBatch): Promise<WriteOutcome>;
}

type KafkaSettings = Parameters<typeof startKafka>[0];

/**
 * A Kafka for all the tests around, with a source whose changes sinks write there. Each test has a pipeline, and so
 * topics, of its own.
 */
export class KafkaStage {
  readonly source = new TestSource();
  pipeline = '';
  #tests = 0;
  #running: { kafka: KafkaService; reader: KafkaReader } | undefined;

  /** @param settings of the Kafka; what they need may be found out right before it starts */
  constructor(settings: () => Promise<KafkaSettings> = async () => ({})) {
    beforeAll(async () => {
      const kafka = await startKafka(await settings());
      this.#running = { kafka, reader: await KafkaReader.open(kafka.brokers) };
    });
    beforeEach(() => {
      this.pipeline = `p${this.#tests++}`;
    });
    afterAll(async () => {
      this.#running?.reader.close();
      await this.#running?.kafka.stop();
    });
  }

  get kafka(): KafkaService {
    return this.#parts.kafka;
  }

  get reader(): KafkaReader {
    return this.#parts.reader;
  }

  get #parts(): { kafka: KafkaService; reader: KafkaReader } {
    if (this.#running === undefined) throw new Error('there is a Kafka in a test only');
    return this.#running;
  }

  get topic(): string {
    return `cdc.${this.pipeline}`;
  }

  open(options: Partial<KafkaSinkOptions> = {}): KafkaSink {
    const topics = { create: true, partitions: 4, replication: 1, config: {} };
    const given = { brokers: this.kafka.brokers, topic: 'cdc.{pipeline}', topics, ...options };
    return this.source.own(new KafkaSink(kafkaOptions(given), pluginContext(this.pipeline)));
  }

  async claimed(options: Partial<KafkaSinkOptions> = {}): Promise<ClaimedSink> {
    const sink = this.open(options);
    const claim = await this.claimAgain(sink);
    return { sink, claim, write: (batch) => sink.write(batch, claim, signal) };
  }

  claimAgain(sink: KafkaSink): Promise<Claim> {
    return claimPatiently(sink, signal);
  }

  /** A batch that sets the keys that `names` gives. */
  setKeys(prefix: string, count: number): Promise<SinkBatch> {
    for (let i = 0; i < count; i++) this.source.run('SET', `${prefix}${i}`, i);
    return this.source.take();
  }

  /** The keys of all records of the test's topic, in the order of the source. */
  async readKeys(): Promise<string[]> {
    return keysOf(await this.reader.read(this.topic));
  }
}

const keysOf = (records: readonly ReadRecord[]): string[] =>
  records
    .map(({ value }) => parseEvent(value?.toString() ?? '').change)
    .sort((a, b) => a.seq - b.seq)
    .map((change) => ('key' in change ? Buffer.from(change.key).toString() : ''));

export const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);
