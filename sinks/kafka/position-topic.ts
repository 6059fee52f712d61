import { setTimeout as delay } from 'node:timers/promises';
import type { Position } from '../../src/kit/index.js';
import { isTailraceError, TailraceError } from '../../src/kit/index.js';
import type { KafkaCluster } from './cluster.js';
import type { Topic } from './outbox.js';
import { requireSuccess } from './refusal.js';
import { configOf, makeTopic, type TopicDirectory, type TopicSettings } from './topics.js';

/** What the position topic says of a pipeline: who may write, and what is written. */
export interface HeldPosition {
  readonly epoch: number;
  /** Names one claimant among all; a sink that claims again keeps its name. */
  readonly claimant: string;
  readonly position: Position | null;
}

/**
 * The position of a pipeline, as records of a compacted topic: the key is the pipeline's name (and the sink's, if there
 * are several), the value
 *
 *   {"epoch":3,"claimant":"…","sequence":812,"count":2,"crc":3735928559}      sequence 0 = nothing was written yet
 *
 * Each is written in the transaction of the data that it is about, so the last committed one is the truth. Only
 * partition 0 is used: adding partitions to the topic moves nothing.
 */
export class PositionTopic {
  readonly name: string;
  readonly #cluster: KafkaCluster;
  readonly #key: Buffer;

  constructor(cluster: KafkaCluster, name: string, owner: string) {
    this.#cluster = cluster;
    this.name = name;
    this.#key = Buffer.from(owner);
  }

  /**
   * The topic to write to; made when it is not there, whatever the settings say of other topics, unless it is known to
   * have been there.
   */
  async open(directory: TopicDirectory, { replication }: TopicSettings, isKnown: boolean): Promise<Topic> {
    const found = await this.#cluster.describeTopics([this.name]);
    const config = { [cleanupPolicy]: 'compact', 'segment.bytes': String(segmentBytes) };
    if (found.has(this.name)) await requireKept(this.#cluster, this.name);
    else {
      if (isKnown) throw this.lost();
      await makeTopic(this.#cluster, this.name, { partitions: 1, replication, config });
    }
    await directory.require([this.name]);
    const topic = directory.get(this.name);
    if (topic === undefined) throw new Error(`the topic ${this.name} is not there`);
    return topic;
  }

  /** To begin again from the start would write everything twice. */
  lost(): TailraceError {
    return new TailraceError('SINK_FAILED', `the position topic ${this.name} lost the position`, {
      context: { topic: this.name },
      remedy: 'Restore the topic. Without it the next start delivers everything again.',
    });
  }

  /** Puts the record of a position into the transaction that is being prepared. */
  add(topic: Topic, { epoch, claimant, position }: HeldPosition): void {
    const { sequence, count, crc } = position ?? nowhere;
    topic.partitions[0].add(
      this.#key,
      Buffer.from(JSON.stringify({ epoch, claimant, sequence, count, crc })),
    );
  }

  /**
   * The last committed record, once every transaction that is open now has ended: what whoever was fenced just now has
   * left behind.
   */
  async readSettled(topic: Topic, timeoutMs: number): Promise<HeldPosition | undefined> {
    const { leader } = topic.partitions[0];
    const end = await this.#offset(leader, latest, readUncommitted);
    const deadline = performance.now() + timeoutMs;
    while ((await this.#offset(leader, latest, readCommitted)) < end) {
      if (performance.now() > deadline)
        throw new Error(`a transaction of another pipeline stays open in ${this.name}`);
      await delay(stablePauseMs);
    }
    return this.#lastBelow(leader, end);
  }

  /** The last committed record, as far as can be told without waiting for anybody. */
  async readNow(topic: Topic): Promise<HeldPosition | undefined> {
    const { leader } = topic.partitions[0];
    return this.#lastBelow(leader, await this.#offset(leader, latest, readCommitted));
  }

  /** Waits until everybody can read that an epoch has begun: a commit is answered before it shows. */
  async untilShown(topic: Topic, epoch: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (((await this.readNow(topic))?.epoch ?? 0) < epoch) {
      if (performance.now() > deadline) throw new Error(`the claim does not show in ${this.name}`);
      await delay(stablePauseMs);
    }
  }

  /** Read from the end backwards, in steps that double, so that the length of the topic does not matter. */
  async #lastBelow(leader: number, end: number): Promise<HeldPosition | undefined> {
    const first = await this.#offset(leader, earliest, readUncommitted);
    let to = end;
    for (let length = initialWindow; to > first; length *= 2) {
      const from = Math.max(first, to - length);
      const found = await this.#lastIn(leader, from, to);
      if (found !== undefined) return decodeHeld(found, this.name);
      to = from;
    }
    return undefined;
  }

  /** For `latest`, read committed: the end of what no open transaction may still change. */
  async #offset(leader: number, timestamp: number, isolationLevel: number): Promise<number> {
    const { responses } = (await this.#cluster.request(leader, 'ListOffsets', {
      replicaId: -1,
      isolationLevel,
      topics: [{ topic: this.name, partitions: [{ partition: 0, timestamp }] }],
    })) as { responses: { partitions: { errorCode: number; offset: string }[] }[] };
    const answer = responses[0]?.partitions[0];
    requireSuccess(answer?.errorCode ?? -1, `the offsets of ${this.name}`);
    return Number(answer?.offset);
  }

  /** The value of the last committed record of this pipeline in [from, to). */
  async #lastIn(leader: number, from: number, to: number): Promise<Buffer | undefined> {
    let last: Buffer | undefined;
    for (let offset = from; offset < to; ) {
      const answer = await this.#fetch(leader, offset);
      for (const { key, value, offset: at } of committed(answer))
        if (Number(at) >= from && Number(at) < to && key?.equals(this.#key)) last = value ?? undefined;
      const reached = answer.messages.at(-1)?.offset;
      // Compaction may have left a batch without records: then it is stepped over.
      offset = reached === undefined ? offset + 1 : Math.max(offset, Number(reached)) + 1;
    }
    return last;
  }

  async #fetch(leader: number, fetchOffset: number): Promise<FetchedPartition> {
    const { responses } = (await this.#cluster.request(leader, 'Fetch', {
      replicaId: -1,
      isolationLevel: readCommitted,
      maxWaitTime: 0,
      minBytes: 0,
      maxBytes: fetchBytes,
      rackId: '',
      topics: [{ topic: this.name, partitions: [{ partition: 0, fetchOffset, maxBytes: fetchBytes }] }],
    })) as { responses: { partitions: FetchedPartition[] }[] };
    const answer = responses[0]?.partitions[0];
    if (answer === undefined) throw new Error(`a fetch from ${this.name} was answered without the partition`);
    requireSuccess(answer.errorCode, `reading ${this.name}`);
    return answer;
  }
}

/**
 * A topic that somebody else made may have the brokers' default policy: a week without changes, and the position is gone.
 * @throws TailraceError `SINK_REFUSED`
 */
export const requireKept = async (cluster: KafkaCluster, topic: string): Promise<void> => {
  const policy = (await configOf(cluster, topic, [cleanupPolicy])).get(cleanupPolicy) ?? '';
  if (!policy.split(',').includes('delete')) return;
  throw new TailraceError(
    'SINK_REFUSED',
    `${cleanupPolicy} of ${topic} is ${policy}: positions would be deleted`,
    {
      context: { topic, policy },
      remedy: `Set ${cleanupPolicy} of the topic to compact.`,
    },
  );
};

interface FetchedPartition {
  readonly errorCode: number;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly messages: readonly FetchedMessage[];
}

interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

/**
 * The records of transactions that were not aborted. The broker says where an aborted one begins, its marker where it
 * ends.
 */
const committed = ({ messages, abortedTransactions }: FetchedPartition): FetchedMessage[] => {
  const begins = abortedTransactions.map(({ producerId, firstOffset }) => ({
    producerId,
    offset: Number(firstOffset),
  }));
  begins.sort((a, b) => a.offset - b.offset);
  const aborted = new Set<string>();
  return messages.filter((message) => {
    while (begins[0] !== undefined && begins[0].offset <= Number(message.offset))
      aborted.add(begins.shift()?.producerId ?? '');
    const { producerId, inTransaction } = message.batchContext;
    if (message.isControlRecord) {
      aborted.delete(producerId);
      return false;
    }
    return !(inTransaction && aborted.has(producerId));
  });
};

/** @throws TailraceError `OFFSETS_CORRUPT` */
const decodeHeld = (value: Buffer, topic: string): HeldPosition => {
  try {
    const { epoch, claimant, sequence, count, crc } = JSON.parse(value.toString()) as Record<string, unknown>;
    const whole = (number: unknown): number => {
      if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
      throw corrupt(topic, value);
    };
    const position = { sequence: whole(sequence), count: whole(count), crc: whole(crc) };
    return {
      epoch: whole(epoch),
      claimant: typeof claimant === 'string' ? claimant : '',
      position: position.sequence === 0 ? null : position,
    };
  } catch (error) {
    throw isTailraceError(error) ? error : corrupt(topic, value);
  }
};

const corrupt = (topic: string, value: Buffer): TailraceError =>
  new TailraceError('OFFSETS_CORRUPT', `the topic ${topic} holds ${JSON.stringify(value.toString())}`, {
    context: { topic },
    remedy: 'Something else writes to this topic: set positionTopic to another, or delete it to start anew.',
  });

const cleanupPolicy = 'cleanup.policy';
const nowhere: Position = { sequence: 0, count: 0, crc: 0 };
const earliest = -2;
const latest = -1;
const readUncommitted = 0;
const readCommitted = 1;
/** Offsets, not records: markers and superseded records count too. */
const initialWindow = 200;
const fetchBytes = 1024 * 1024;
const stablePauseMs = 5;
/** Compaction leaves the newest segment alone: small ones keep the topic small. */
const segmentBytes = 16 * 1024 * 1024;
