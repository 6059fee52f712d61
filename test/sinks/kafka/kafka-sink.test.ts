import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { CompressionCodecs, CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../../sinks/kafka/cluster.js';
import type { KafkaSinkOptions } from '../../../sinks/kafka/index.js';
import { KafkaSink } from '../../../sinks/kafka/kafka-sink.js';
import { Outbox } from '../../../sinks/kafka/outbox.js';
import { Producer } from '../../../sinks/kafka/producer.js';
import { TopicDirectory } from '../../../sinks/kafka/topics.js';
import {
  type Claim,
  isSamePosition,
  isTailraceError,
  parseEvent,
  type SinkBatch,
  type WriteOutcome,
} from '../../../src/kit/index.js';
import { freePort, type KafkaService, startKafka } from '../../services/index.js';
import { Api, KafkaMeddler, type Meddling } from '../../support/kafka-meddler.js';
import { kafkaOptions } from '../../support/kafka-options.js';
import { KafkaReader, type ReadRecord } from '../../support/kafka-reader.js';
import { pluginContext } from '../../support/sink-batches.js';
import { TestSource } from '../../support/test-source.js';
import { waitUntil } from '../../support/wait-until.js';

const { signal } = new AbortController();

describe('the kafka sink', () => {
  const source = new TestSource();
  let kafka: KafkaService;
  let reader: KafkaReader;
  let meddler: KafkaMeddler;
  /** Each test has a pipeline, and so topics, of its own. */
  let run = 0;
  let pipeline = '';
  let topic = '';

  beforeAll(async () => {
    const meddledPort = await freePort();
    kafka = await startKafka({
      listeners: { MEDDLED: { protocol: 'PLAINTEXT', advertisedPort: meddledPort } },
      settings: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200' },
    });
    meddler = await KafkaMeddler.open(kafka.listenerPorts['MEDDLED'] ?? 0, meddledPort);
    reader = await KafkaReader.open(kafka.brokers);
  });
  afterAll(async () => {
    reader.close();
    await meddler[Symbol.asyncDispose]();
    await kafka.stop();
  });
  beforeEach(async () => {
    pipeline = `p${run++}`;
    topic = `cdc.${pipeline}`;
  });

  const open = (options: Partial<KafkaSinkOptions> = {}): KafkaSink => {
    const topics = { create: true, partitions: 4, replication: 1, config: {} };
    const given = { brokers: kafka.brokers, topic: 'cdc.{pipeline}', topics, ...options };
    return source.own(new KafkaSink(kafkaOptions(given), pluginContext(pipeline)));
  };
  const claimed = async (
    options: Partial<KafkaSinkOptions> = {},
  ): Promise<{ write(batch: SinkBatch): Promise<WriteOutcome>; sink: KafkaSink; claim: Claim }> => {
    const sink = open(options);
    const claim = await claimAgain(sink);
    return { sink, claim, write: (batch) => sink.write(batch, claim, signal) };
  };
  /** As a pipeline claims: again while the brokers cannot be reached, which on a busy machine means in time. */
  const claimAgain = async (sink: KafkaSink): Promise<Claim> => {
    for (let tries = 0; ; tries++) {
      try {
        return await sink.claim(signal);
      } catch (error) {
        if (tries >= 5 || !isTailraceError(error, 'SINK_UNREACHABLE')) throw error;
      }
    }
  };
  const meddled = (): Partial<KafkaSinkOptions> => ({ brokers: [`127.0.0.1:${meddler.port}`] });
  const setKeys = async (prefix: string, count: number): Promise<SinkBatch> => {
    for (let i = 0; i < count; i++) source.run('SET', `${prefix}${i}`, i);
    return source.take();
  };
  /** The keys of all records, in the order of the source. */
  const keysOf = (records: readonly ReadRecord[]): string[] =>
    records
      .map(({ value }) => parseEvent(value?.toString() ?? '').change)
      .sort((a, b) => a.seq - b.seq)
      .map((change) => ('key' in change ? Buffer.from(change.key).toString() : ''));
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}${i}`);

  it('writes events that a consumer of Kafka reads, and the next claim finds the position', async () => {
    const { write, claim } = await claimed();
    expect(claim).toEqual({ epoch: 1, position: null });
    const first = await setKeys('a', 20);
    expect(await write(first)).toEqual({ kind: 'durable' });
    const second = await setKeys('b', 5);
    expect(await write(second)).toEqual({ kind: 'durable' });
    expect(await open().claim(signal)).toEqual({ epoch: 2, position: second.position });

    const consumer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).consumer({
      groupId: pipeline,
    });
    const read: string[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void read.push(message.key?.toString() ?? '') });
    await waitUntil('the consumer has read all', () => read.length === 25);
    await consumer.disconnect();
    expect(read.sort()).toEqual([...names('a', 20), ...names('b', 5)].sort());
  });

  it("puts each key where Kafka's own producer puts it, in order", async () => {
    const { write } = await claimed({ topics: { create: true, partitions: 6, replication: 1, config: {} } });
    source.run('SET', 'schlüssel', 1);
    for (let i = 0; i < 40; i++) source.run('RPUSH', `list ${i % 20}`, i);
    await write(await source.take());
    const ours = new Map<string, number>();
    const lastOf = new Map<string, number>();
    for (const { key, partition, value } of await reader.read(topic)) {
      const name = key?.toString() ?? '';
      expect(ours.get(name) ?? partition).toBe(partition);
      ours.set(name, partition);
      const { seq } = parseEvent(value?.toString() ?? '').change;
      expect(seq).toBeGreaterThanOrEqual(lastOf.get(name) ?? 0);
      lastOf.set(name, seq);
    }
    expect(ours.size).toBe(21);
    expect(new Set(ours.values()).size).toBeGreaterThan(3);

    await reader.create(`${topic}.java`, 6);
    await produceByJava(kafka, `${topic}.java`, [...ours.keys()]);
    const theirs = (await reader.read(`${topic}.java`)).map(
      ({ key, partition }) => [key?.toString(), partition] as const,
    );
    expect(new Map(theirs)).toEqual(ours);
  });

  it('writes tombstones, headers, and topics and keys by templates', async () => {
    const { write } = await claimed({
      topic: '{pipeline}.{entity}',
      key: '{namespace}/{id}',
      keyPattern: '{entity}:{id}',
      deletes: 'both',
      headers: { position: '{position}', op: '{op}' },
      compression: 'gzip',
    });
    source.run('SET', 'user:1', 'ada');
    source.run('DEL', 'user:1');
    source.run('HSET', 'order/n:7:8', 'total', '42');
    await write(await source.take());
    const users = await reader.read(`${pipeline}.user`);
    expect(users.map(({ key, value }) => [key?.toString(), value === null])).toEqual([
      ['default/1', false],
      ['default/1', false],
      ['default/1', true],
    ]);
    expect(users.map(({ headers }) => headers['op']?.toString())).toEqual(['put', 'delete', 'delete']);
    expect(users[2]?.headers['position']?.toString()).toBe('2.0');
    // A slash cannot stand in the name of a topic.
    const orders = await reader.read(`${pipeline}.order_n`);
    expect(orders.map(({ key }) => key?.toString())).toEqual(orders.map(() => 'default/7:8'));

    source.run('SET', 'nopattern', 1);
    const outcome = await write(await source.take());
    expect(outcome).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 0, change: 0, reason: expect.stringContaining('{entity}:{id}') }],
    });
  });

  it('writes Redis commands, or whole batches as they stand in the log', async () => {
    const redis = await claimed({ value: 'redis', topic: '{pipeline}.commands' });
    const raw = await claimed({
      value: 'batch',
      topic: '{pipeline}.batches',
      ...{ transactionalId: 'raw.{pipeline}', positionTopic: 'raw.{pipeline}' },
    });
    source.run('SET', 'k', 'v');
    source.run('HSET', 'h', 'f', '1', 'g', '2');
    const batch = await source.take();
    await redis.write(batch);
    await raw.write(batch);
    const values = (await reader.read(`${pipeline}.commands`)).map(({ value }) => value?.toString());
    expect(values).toContain('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');
    expect(values).toContain('*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\ng\r\n$1\r\n2\r\n');
    const records = await reader.read(`${pipeline}.batches`);
    expect(records.map(({ key, partition, value }) => ({ key, partition, value }))).toEqual(
      batch.transactions.map(({ bytes }) => ({ key: null, partition: 0, value: bytes })),
    );

    // Nothing can be left out of a batch: it is refused whole.
    source.run('SET', 'huge', 'x'.repeat(1_100_000));
    expect(await raw.write(await source.take())).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 0, change: 0, reason: expect.stringContaining('max.message.bytes') }],
    });
  });

  it('splits what does not fit into one record batch, and keeps it one transaction', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'max.message.bytes': '20000' } };
    const { write } = await claimed({ topics });
    for (let i = 0; i < 100; i++) source.run('SET', `large${i}`, 'x'.repeat(5_000));
    expect(await write(await source.take())).toEqual({ kind: 'durable' });
    expect(keysOf(await reader.read(topic))).toEqual(names('large', 100));
  });

  it('names a record that is over the limit of its topic as poison, and takes the rest', async () => {
    const topics = { create: true, partitions: 2, replication: 1, config: { 'max.message.bytes': '2000' } };
    const { write } = await claimed({ topics });
    source.run('SET', 'small', 'x');
    source.run('SET', 'huge', 'x'.repeat(3_000));
    const batch = await source.take();
    const outcome = await write(batch);
    expect(outcome).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 1, change: 0, reason: expect.stringContaining('max.message.bytes 2000') }],
    });
    const [small, huge] = batch.transactions;
    const rest = { ...batch, transactions: [small, { ...huge, changes: [] }] };
    expect(await write(rest)).toEqual({ kind: 'durable' });
    expect(keysOf(await reader.read(topic))).toEqual(['small']);
  });

  it('lets a compressed record be as large as its topic takes it compressed', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'max.message.bytes': '2000' } };
    const { write } = await claimed({ topics, compression: 'gzip' });
    source.run('SET', 'compressible', 'x'.repeat(10_000));
    expect((await write(await source.take())).kind).toBe('durable');
    expect(keysOf(await reader.read(topic))).toEqual(['compressible']);
    source.run('SET', 'noise', randomBytes(5_000));
    const noise = await source.take();
    expect(await write(noise)).toMatchObject({ kind: 'poison', rejections: [{ transaction: 0 }] });
  });

  it('compresses with zstd where Node.js can, and says so where it cannot', async () => {
    const { zstdDecompress } = zlib as {
      zstdDecompress?: (bytes: Buffer, done: (error: Error | null, plain: Buffer) => void) => void;
    };
    if (zstdDecompress === undefined) {
      expect(() => open({ compression: 'zstd' })).toThrow(`Node.js ${process.versions.node} has no zstd`);
      return;
    }
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({ decompress: promisify(zstdDecompress) });
    const { write } = await claimed({ compression: 'zstd' });
    expect((await write(await setKeys('a', 100))).kind).toBe('durable');
    expect(keysOf(await reader.read(topic))).toEqual(names('a', 100));
  });

  it('finds the record that is too large when the limit was lowered meanwhile', async () => {
    const { write } = await claimed();
    await write(await setKeys('a', 10));
    await reader.configure(topic, { 'max.message.bytes': '2000' });
    for (let i = 0; i < 8; i++) source.run('SET', `b${i}`, i === 5 ? 'x'.repeat(3_000) : 'x');
    let batch = await source.take();
    let outcome = await write(batch);
    for (let tries = 0; outcome.kind !== 'durable' && tries < 10; tries++) {
      if (outcome.kind === 'poison') {
        expect(outcome.rejections.map(({ transaction }) => transaction)).toEqual([5]);
        batch = {
          ...batch,
          transactions: batch.transactions.map((transaction, at) =>
            at === 5 ? { ...transaction, changes: [] } : transaction,
          ),
        };
      } else expect(outcome.kind).toBe('retryable');
      outcome = await write(batch);
    }
    expect(outcome.kind).toBe('durable');
    expect(keysOf(await reader.read(topic))).toEqual([
      ...names('a', 10),
      ...names('b', 8).filter((name) => name !== 'b5'),
    ]);
  });

  it('refuses changes without a key for a compacted topic', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'cleanup.policy': 'compact' } };
    const { write } = await claimed({ topics });
    source.run('SET', 'k', 1);
    source.run('FLUSHDB');
    const batch = await source.take();
    const flush = batch.transactions.findIndex(({ changes }) => changes.some(({ op }) => op === 'clear'));
    expect(await write(batch)).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: flush, reason: expect.stringContaining('without a key') }],
    });
  });

  it('writes nothing while there are too few replicas, and all of it once when there are enough', async () => {
    const { write } = await claimed(meddled());
    await write(await setKeys('a', 10));
    const batch = await setKeys('b', 10);
    meddler.answerInstead(Api.Produce, (request) => produceAnswer(request, 19));
    expect(await write(batch)).toMatchObject({
      kind: 'retryable',
      error: { message: expect.stringContaining('NOT_ENOUGH_REPLICAS') },
    });
    expect(await write(batch)).toEqual({ kind: 'durable' });
    expect(keysOf(await reader.read(topic))).toEqual([...names('a', 10), ...names('b', 10)]);
  });

  it('does not take a topic for granted that it must not make', async () => {
    const { write } = await claimed({ topics: { create: false, partitions: 1, replication: 1, config: {} } });
    expect(await write(await setKeys('a', 1))).toMatchObject({
      kind: 'fatal',
      error: { code: 'SINK_FAILED', message: expect.stringContaining(topic) },
    });
  });

  it('asks what holds when the answer to a commit is lost, late or wrong, and writes nothing twice', async () => {
    let previous = await claimed({ ...meddled(), requestTimeout: 5_000 });
    const expected: string[] = [];
    const lost: readonly (readonly [string, Meddling])[] = [
      ['cut', () => 'cut'],
      ['held', () => 'hold'],
      ['wrong', (payload) => withErrorCode(payload, 4, 16)],
    ];
    for (const [how, meddling] of lost) {
      const batch = await setKeys(`${how} `, 10);
      expected.push(...names(`${how} `, 10));
      meddler.meddle(Api.EndTxn, meddling);
      expect([how, (await previous.write(batch)).kind]).toEqual([how, 'unknown']);
      expect([how, (await previous.write(batch)).kind]).toEqual([how, 'unknown']);
      const claim = await claimAgain(previous.sink);
      expect([how, claim.position]).toEqual([how, batch.position]);
      previous = { ...previous, claim, write: (next) => previous.sink.write(next, claim, signal) };
    }
    expect(keysOf(await reader.read(topic))).toEqual(expected);
  });

  it('takes no partition for written that the answer does not name, or names with an error', async () => {
    const { sink, claim } = await claimed(meddled());
    const batch = await setKeys('a', 30);
    await sink.write(batch, claim, signal);
    let { epoch, position } = claim;
    position = batch.position;
    const next = await setKeys('b', 30);
    for (const meddling of [withoutFirstPartition, (payload: Buffer) => withPartitionError(payload, 7)]) {
      meddler.meddle(Api.Produce, meddling);
      expect((await sink.write(next, { epoch, position }, signal)).kind).toBe('unknown');
      ({ epoch, position } = await claimAgain(sink));
      expect(position).toEqual(batch.position);
    }
    expect((await sink.write(next, { epoch, position }, signal)).kind).toBe('durable');
    expect(keysOf(await reader.read(topic))).toEqual([...names('a', 30), ...names('b', 30)]);
  });

  it('goes on after a pause in which the brokers gave up its transaction, if nobody took over', async () => {
    const slow = { ...meddled(), transactionTimeout: 1_000, requestTimeout: 20_000 };
    const { sink, write } = await claimed(slow);
    const batch = await setKeys('a', 10);
    // The broker's answer comes when its patience is over: once the position topic has the marker of an abort.
    let deliver: (() => void) | undefined;
    meddler.meddle(Api.Produce, (_, release) => {
      deliver = release;
      return 'hold';
    });
    const writing = write(batch);
    await waitUntil('the records are there', () => deliver !== undefined);
    await waitUntil('the transaction was given up', async () => {
      const { end, stable } = await reader.ends(`tailrace.${pipeline}.position`);
      return stable === end;
    });
    deliver?.();
    expect((await writing).kind).toBe('unknown');
    let claim = await claimAgain(sink);
    expect(claim.position).toBeNull();
    // The brokers' patience is as short as before: on a slow machine this may take more than one try.
    while ((await sink.write(batch, claim, signal)).kind !== 'durable') {
      claim = await claimAgain(sink);
      if (isSamePosition(claim.position, batch.position)) break;
    }
    expect(keysOf(await reader.read(topic))).toEqual(names('a', 10));
  });

  it('is checked as soon as the brokers of a new cluster know who coordinates', async () => {
    const coordinatorNotAvailable = 15;
    for (let times = 0; times < 3; times++)
      meddler.meddle(Api.FindCoordinator, (payload) => withErrorCode(payload, 4, coordinatorNotAvailable));
    expect(await open(meddled()).check(signal)).toContainEqual(
      expect.objectContaining({ name: 'transactions', status: 'ok' }),
    );
  });

  it('says so when the brokers are too old', async () => {
    meddler.meddle(Api.ApiVersions, (payload) => {
      const changed = Buffer.from(payload);
      for (
        let at = 6;
        at < changed.length - 4;
        at += 6 // key, oldest and newest version of each API
      )
        if (changed.readInt16BE(at) === Api.Produce) changed.writeInt16BE(5, at + 4);
      return changed;
    });
    await expect(open(meddled()).claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      remedy: 'Kafka 2.1 or later is needed.',
    });
  });

  it('connects again when a broker has closed its idle connections', async () => {
    const { write } = await claimed(meddled());
    await write(await setKeys('a', 5));
    await meddler.hangUp();
    expect((await write(await setKeys('b', 5))).kind).toBe('durable');
    expect(keysOf(await reader.read(topic))).toEqual([...names('a', 5), ...names('b', 5)]);
  });

  it('keeps the positions of two sinks of one pipeline apart', async () => {
    const { write } = await claimed();
    const batch = await setKeys('a', 3);
    await write(batch);
    const options = kafkaOptions({ brokers: kafka.brokers, topic: 'copy.{pipeline}' });
    const second = new KafkaSink(options, { ...pluginContext(pipeline), sink: 'kafka-2' });
    source.own(second);
    const claim = await second.claim(signal);
    expect(claim.position).toBeNull();
    expect((await second.write(batch, claim, signal)).kind).toBe('durable');
    expect((await write(await setKeys('b', 3))).kind).toBe('durable');
  });

  it('lets one of two win that claim at the same moment, and neither lose anything', async () => {
    const first = await claimed();
    await first.write(await setKeys('a', 5));
    const contenders = [open(), open()];
    const claims = await Promise.allSettled(contenders.map((sink) => sink.claim(signal)));
    const batch = await setKeys('b', 5);
    const outcomes = await Promise.all(
      claims.map(async (claim, at) =>
        claim.status === 'fulfilled'
          ? (await contenders[at]?.write(batch, claim.value, signal))?.kind
          : 'refused',
      ),
    );
    expect(outcomes.filter((kind) => kind === 'durable').length).toBe(1);
    expect(keysOf(await reader.read(topic))).toEqual([...names('a', 5), ...names('b', 5)]);
  });

  it('does not begin again from the start when its position topic was deleted under it', async () => {
    const { sink, write } = await claimed();
    await write(await setKeys('a', 5));
    await reader.delete([`tailrace.${pipeline}.position`]);
    await waitUntil('the topic is gone', async () => {
      const topics = await reader.topics();
      return !topics.includes(`tailrace.${pipeline}.position`);
    });
    const batch = await setKeys('b', 5);
    expect((await write(batch)).kind).toBe('unknown');
    await expect(sink.claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      message: expect.stringContaining('lost the position'),
    });
    expect(keysOf(await reader.read(topic))).toEqual(names('a', 5));
  });

  it('finds its position among many of other pipelines in one topic', async () => {
    const shared = { positionTopic: 'positions-of-all' };
    const { write } = await claimed(shared);
    const batch = await setKeys('a', 3);
    await write(batch);
    const quiet = pipeline;
    pipeline = `${quiet}-busy`;
    const busy = await claimed(shared);
    for (let i = 0; i < 160; i++) {
      const each = await setKeys(`${i}-`, 1);
      const { kind } = await busy.write(i === 0 ? { ...each, previous: null } : each);
      expect(kind).toBe('durable');
    }
    pipeline = quiet;
    expect((await open(shared).claim(signal)).position).toEqual(batch.position);
  });

  it('numbers records on across the end of the sequence', async () => {
    const options = { brokers: kafka.brokers, clientId: 'wrap', tls: null, sasl: null };
    const cluster = new KafkaCluster(
      { ...options, connectTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
      pluginContext().log,
    );
    await cluster.connect();
    const settings = { create: true, partitions: 1, replication: 1, config: {} };
    const topics = new TopicDirectory(cluster, settings, new Outbox(false));
    await topics.require([topic]);
    const timeouts = { transactionTimeoutMs: 60_000, requestTimeoutMs: 60_000 };
    const producer = await Producer.open(cluster, {
      transactionalId: null,
      codec: undefined,
      ...timeouts,
    });
    const partitions = topics.get(topic)?.partitions ?? [];
    const [partition] = partitions;
    if (partition === undefined) throw new Error('the topic has no partition');
    partition.nextSequence = 2 ** 31 - 5;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) partition.add(Buffer.from(`${round}.${i}`), null);
      await producer.produce(partitions);
      topics.outbox.clear();
    }
    expect(partition.nextSequence).toBe(7);
    expect(await reader.read(topic)).toHaveLength(12);
    cluster.close();
  });
});

/** Moves the error code in an answer that begins with the throttle time. */
const withErrorCode = (payload: Buffer, at: number, code: number): Buffer => {
  const changed = Buffer.from(payload);
  changed.writeInt16BE(code, at);
  return changed;
};

/** The first topic's partitions in an answer to Produce, and where the first of them begins. */
const partitionsOf = (payload: Buffer): { countAt: number; at: number } => {
  const countAt = 4 + 2 + payload.readInt16BE(4);
  return { countAt, at: countAt + 4 };
};

const withPartitionError = (payload: Buffer, code: number): Buffer =>
  withErrorCode(payload, partitionsOf(payload).at + 4, code);

const withoutFirstPartition = (payload: Buffer): Buffer => {
  const { countAt, at } = partitionsOf(payload);
  const count = Buffer.alloc(4);
  count.writeInt32BE(payload.readInt32BE(countAt) - 1);
  return Buffer.concat([payload.subarray(0, countAt), count, payload.subarray(at + 30)]);
};

/** The answer to Produce, version 7, that gives each of its partitions an error. */
const produceAnswer = (request: Buffer, code: number): Buffer => {
  let at = 2 + Math.max(0, request.readInt16BE(0)) + 2 + 4; // transactional id, acks, timeout
  const topics = request.readInt32BE(at);
  const parts: Buffer[] = [request.subarray(at, at + 4)];
  at += 4;
  for (let topic = 0; topic < topics; topic++) {
    const nameEnd = at + 2 + request.readInt16BE(at);
    const partitions = request.readInt32BE(nameEnd);
    parts.push(request.subarray(at, nameEnd + 4));
    at = nameEnd + 4;
    for (let partition = 0; partition < partitions; partition++) {
      const answer = Buffer.alloc(30, 0xff);
      request.copy(answer, 0, at, at + 4);
      answer.writeInt16BE(code, 4);
      parts.push(answer);
      at += 8 + request.readInt32BE(at + 4);
    }
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
};

/** One record a key, by Kafka's console producer. */
const produceByJava = (kafka: KafkaService, topic: string, keys: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const words = ['--bootstrap-server', kafka.brokers[0] ?? '', '--topic', topic];
    const properties = ['--property', 'parse.key=true', '--property', 'key.separator=|'];
    const program = spawn(
      'java',
      [
        '-Dfile.encoding=UTF-8',
        '-cp',
        kafka.classPath,
        // In 3.x it was elsewhere.
        kafka.version === '3.9.1' ? 'kafka.tools.ConsoleProducer' : 'org.apache.kafka.tools.ConsoleProducer',
        ...words,
        ...properties,
      ],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    let output = '';
    program.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    program.once('error', reject);
    program.once('close', (code) => (code === 0 ? resolve() : reject(new Error(output))));
    program.stdin.end(keys.map((key) => `${key}|v\n`).join(''));
  });
