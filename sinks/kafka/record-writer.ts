import { type Change, type Rejection, type SinkBatch, type Transaction, Turns } from '../../src/kit/index.js';
import type { Partition, Topic } from './outbox.js';
import { encodeHeaders, type RecordBatchBuilder } from './record-batch.js';
import { makeValueWriter, type ValueFormat, type ValueWriter } from './record-values.js';
import { type KeyMatch, KeyPattern, Template } from './template.js';
import type { TopicDirectory } from './topics.js';

export interface RecordSettings {
  readonly topic: string;
  readonly key: string;
  readonly keyPattern: string;
  readonly value: ValueFormat;
  readonly deletes: 'event' | 'tombstone' | 'both';
  /** Name → template of the value. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name of the source in the events. */
  readonly source: string;
}

/** What became of a batch: all of it is in the outbox, or why not. */
export interface Prepared {
  /** Topics that must be looked up first; then prepare again. */
  readonly missing: readonly string[];
  /** Topics with records that are over their limit, as far as that is known. */
  readonly exceeded: readonly Topic[];
  readonly rejections: readonly Rejection[];
}

/** Told of each record where it went. */
export type RecordListener = (
  place: Omit<Rejection, 'reason'>,
  partition: Partition,
  isKeyed: boolean,
) => void;

/** Turns changes into records, in the record batches of their partitions. Hot; measured by bench `kafka-sink`. */
export class RecordWriter {
  readonly #settings: RecordSettings;
  readonly #topic: Template;
  readonly #key: Template;
  readonly #headers: readonly (readonly [name: string, value: Template])[];
  readonly #pattern: KeyPattern;
  readonly #values: ValueWriter;
  readonly #topicNames = new Map<string, string>();
  /** The topic of the change before: most changes are of its kind. */
  #last = { ns: '', type: '', op: '', name: '' };

  /** @throws Error that says what is wrong with a template */
  constructor(settings: RecordSettings, pipeline: string) {
    this.#settings = settings;
    this.#pattern = new KeyPattern(settings.keyPattern);
    this.#topic = new Template(settings.topic, pipeline, this.#pattern);
    this.#key = new Template(settings.key, pipeline, this.#pattern);
    this.#headers = Object.entries(settings.headers).map(([name, value]) => [
      name,
      new Template(value, pipeline, this.#pattern),
    ]);
    this.#values = makeValueWriter(settings.value, settings.source || pipeline);
  }

  /** Puts every record of a batch into the outbox of the topics, which must be empty; in turns, where the batch is large. */
  async prepare(
    { transactions }: SinkBatch,
    topics: Pick<TopicDirectory, 'get'>,
    listener?: RecordListener,
  ): Promise<Prepared> {
    const run = new Preparation(topics, listener);
    const turns = new Turns();
    for (let at = 0; at < transactions.length; at++) {
      const transaction = transactions[at];
      if (this.#settings.value === 'batch') {
        run.enter(at, 0);
        this.#addWhole(transaction, run);
        continue;
      }
      const { changes } = transaction;
      for (let change = 0; change < changes.length; change++) {
        run.enter(at, change);
        this.#add(transaction, changes[change], run);
        if (turns.isOverAfterStep()) await turns.next();
      }
    }
    return { missing: [...run.missing], exceeded: [...run.exceeded], rejections: run.rejections };
  }

  #add(transaction: Transaction, change: Change, run: Preparation): void {
    const match =
      this.#pattern.names.length > 0 && 'key' in change ? this.#pattern.match(change.key) : undefined;
    const name = this.#topicOf(transaction, change, match);
    if (name === undefined || name === '') {
      const why =
        name === '' ? 'its name would be empty' : `the key does not match ${this.#settings.keyPattern}`;
      run.reject(`the topic cannot be told: ${why}`);
      return;
    }
    const topic = run.topicOf(name);
    if (topic === undefined) return;
    const key = this.#keyOf(transaction, change, match);
    if (key === undefined) {
      run.reject(`the record's key cannot be told: the key does not match ${this.#settings.keyPattern}`);
      return;
    }
    const headers = this.#headersOf(transaction, change, match);
    const { deletes } = this.#settings;
    const isDelete = change.op === 'delete' && change.type === 'key';
    if (!isDelete || deletes !== 'tombstone') {
      const value = this.#values.write(transaction, change);
      if (typeof value === 'string') run.reject(value);
      else run.add(topic, key, value, headers);
    }
    if (isDelete && deletes !== 'event') run.add(topic, key, null, headers);
  }

  /** A batch of the log as one record. It has many keys, so it has none. */
  #addWhole(transaction: Transaction, run: Preparation): void {
    if (transaction.isSnapshot === true) {
      run.reject('keys read by a snapshot are no batch of the log');
      return;
    }
    const { first, bytes } = transaction;
    const whole: Change = { seq: first, index: 0, ns: '', op: 'clear', type: 'all', slot: undefined };
    const topic = run.topicOf(this.#topicOf(transaction, whole, undefined) ?? '');
    if (topic !== undefined) run.add(topic, null, bytes, this.#headersOf(transaction, whole, undefined));
  }

  /** The name of the topic; characters that such names cannot have become `_`. */
  #topicOf(transaction: Transaction, change: Change, match: KeyMatch | undefined): string | undefined {
    if (!this.#topic.isCoarse) return legalName(this.#topic.render(change, transaction.first, match));
    const { ns, type, op } = change;
    const last = this.#last;
    if (last.ns === ns && last.type === type && last.op === op) return last.name;
    const kind = `${op} ${type} ${ns}`;
    let name = this.#topicNames.get(kind);
    if (name === undefined) {
      name = legalName(this.#topic.render(change, transaction.first, match)) ?? '';
      this.#topicNames.set(kind, name);
    }
    this.#last = { ns, type, op, name };
    return name;
  }

  /** Null for what has no key of its own. */
  #keyOf(
    transaction: Transaction,
    change: Change,
    match: KeyMatch | undefined,
  ): Uint8Array | null | undefined {
    if (!('key' in change)) return null;
    return this.#key.render(change, transaction.first, match);
  }

  #headersOf(transaction: Transaction, change: Change, match: KeyMatch | undefined): Uint8Array | undefined {
    if (this.#headers.length === 0) return undefined;
    return encodeHeaders(
      this.#headers.map(([name, value]) => [
        name,
        value.render(change, transaction.first, match) ?? new Uint8Array(0),
      ]),
    );
  }
}

/** The state of one pass over a batch. */
class Preparation {
  readonly missing = new Set<string>();
  readonly exceeded = new Set<Topic>();
  readonly rejections: Rejection[] = [];
  readonly #topics: Pick<TopicDirectory, 'get'>;
  readonly #listener: RecordListener | undefined;
  #transaction = 0;
  #change = 0;
  #lastName = '';
  #lastTopic: Topic | undefined;

  constructor(topics: Pick<TopicDirectory, 'get'>, listener: RecordListener | undefined) {
    this.#topics = topics;
    this.#listener = listener;
  }

  enter(transaction: number, change: number): void {
    this.#transaction = transaction;
    this.#change = change;
  }

  topicOf(name: string): Topic | undefined {
    if (name === this.#lastName) return this.#lastTopic;
    const topic = this.#topics.get(name);
    if (topic === undefined) this.missing.add(name);
    this.#lastName = name;
    this.#lastTopic = topic;
    return topic;
  }

  add(topic: Topic, key: Uint8Array | null, value: Uint8Array | null, headers: Uint8Array | undefined): void {
    if (!topic.mayHold(key, value, headers)) {
      const bytes = (key?.length ?? 0) + (value?.length ?? 0);
      this.exceeded.add(topic);
      this.reject(tooLarge(topic, bytes));
      return;
    }
    const partition = topic.partitionOf(key);
    partition.add(key, value, headers);
    this.#listener?.({ transaction: this.#transaction, change: this.#change }, partition, key !== null);
  }

  reject(reason: string): void {
    const last = this.rejections.at(-1);
    if (last?.transaction === this.#transaction && last.change === this.#change) return;
    this.rejections.push({ transaction: this.#transaction, change: this.#change, reason });
  }
}

export const tooLarge = (topic: Topic, bytes: number): string =>
  `its record of ${bytes} bytes is${topic.outbox.isCompressed ? ', compressed,' : ''} larger than max.message.bytes ${topic.limitBytes} of topic ${topic.name}: raise that setting`;

/** The changes behind one batch that a broker refused, found by preparing them again. */
export const placesIn = async (
  batch: SinkBatch,
  writer: RecordWriter,
  topics: TopicDirectory,
  refused: { readonly partition: Partition; readonly batch: RecordBatchBuilder },
): Promise<{ readonly transaction: number; readonly change: number; readonly isKeyed: boolean }[]> => {
  const index = refused.partition.batches.indexOf(refused.batch);
  topics.outbox.clear();
  const places: { transaction: number; change: number; isKeyed: boolean }[] = [];
  await writer.prepare(batch, topics, (place, partition, isKeyed) => {
    if (partition === refused.partition && partition.batches.length - 1 === index)
      places.push({ ...place, isKeyed });
  });
  return places;
};

const legalName = (bytes: Uint8Array | undefined): string | undefined => {
  if (bytes === undefined) return undefined;
  const name = Buffer.from(bytes)
    .toString()
    .replace(/[^a-zA-Z0-9._-]/g, '_')
    .slice(0, maxTopicName);
  return /^\.{1,2}$/.test(name) ? '_' : name;
};

const maxTopicName = 249;
