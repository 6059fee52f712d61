import { partitionOf } from './murmur2.js';
import { batchHeaderBytes, RecordBatchBuilder, recordBytes } from './record-batch.js';

/** The record batches of the write that is being prepared, and the memory of those before. */
export class Outbox {
  /** Whether its batches get smaller before they are sent. */
  readonly isCompressed: boolean;
  readonly #partitions = new Set<Partition>();
  readonly #free: RecordBatchBuilder[] = [];

  constructor(isCompressed: boolean) {
    this.isCompressed = isCompressed;
  }

  /** Those that something was prepared for, in the order of their first record. */
  get partitions(): readonly Partition[] {
    return [...this.#partitions];
  }

  /** An empty batch for a partition. */
  open(partition: Partition): RecordBatchBuilder {
    this.#partitions.add(partition);
    return this.#free.pop() ?? new RecordBatchBuilder();
  }

  /** Drops what was prepared. Some memory is kept for the next write; however many partitions there are, not for each. */
  clear(): void {
    for (const partition of this.#partitions)
      for (const batch of partition.takeBatches()) {
        if (this.#free.length >= maxFreeBatches || batch.byteLength > maxFreeBytes) continue;
        batch.clear();
        this.#free.push(batch);
      }
    this.#partitions.clear();
  }
}

/** A partition that is written to. */
export class Partition {
  readonly topic: Topic;
  readonly index: number;
  readonly leader: number;
  /** Of the next record, in the sequence of the present producer. */
  nextSequence = 0;
  #batches: RecordBatchBuilder[] = [];

  constructor(topic: Topic, index: number, leader: number) {
    this.topic = topic;
    this.index = index;
    this.leader = leader;
  }

  /** What is prepared, in order; each but the last is as full as the topic allows. */
  get batches(): readonly RecordBatchBuilder[] {
    return this.#batches;
  }

  add(key: Uint8Array | null, value: Uint8Array | null, headers?: Uint8Array): void {
    const { maxBatchBytes, outbox } = this.topic;
    let batch = this.#batches.at(-1);
    if (
      batch === undefined ||
      (batch.count > 0 && batch.byteLength + recordBytes(key, value, headers) > maxBatchBytes)
    ) {
      batch = outbox.open(this);
      this.#batches.push(batch);
    }
    batch.append(key, value, headers);
  }

  takeBatches(): readonly RecordBatchBuilder[] {
    const taken = this.#batches;
    this.#batches = [];
    return taken;
  }
}

/** A topic that is written to. The number of its partitions holds until the next claim, so that keys stay in theirs. */
export class Topic {
  readonly name: string;
  readonly partitions: readonly Partition[];
  readonly outbox: Outbox;
  /** What its brokers take in one record batch, as they tell. */
  limitBytes: number;
  /** How large batches are made: less than the limit once brokers refused one that was within it. */
  maxBatchBytes: number;

  /** `leaders`: node id of the leader of each partition. */
  constructor(name: string, leaders: readonly number[], limitBytes: number, outbox: Outbox) {
    this.name = name;
    this.limitBytes = limitBytes;
    this.maxBatchBytes = limitBytes;
    this.outbox = outbox;
    this.partitions = leaders.map((leader, index) => new Partition(this, index, leader));
  }

  partitionOf(key: Uint8Array | null): Partition {
    return this.partitions[partitionOf(key, this.partitions.length)];
  }

  /** False when no batch may hold this record. Of one that is compressed only its broker can tell. */
  mayHold(key: Uint8Array | null, value: Uint8Array | null, headers?: Uint8Array): boolean {
    const bytes = batchHeaderBytes + recordBytes(key, value, headers) - maxOverestimate;
    return bytes <= this.limitBytes || this.outbox.isCompressed;
  }
}

const maxFreeBatches = 64;
const maxFreeBytes = 1024 * 1024;
/** `recordBytes` counts lengths at their longest. */
const maxOverestimate = 16;
