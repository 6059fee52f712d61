import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { CompressionCodecs, CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import { KafkaCluster } from '../../../sinks/kafka/cluster.js';
import { KafkaSink } from '../../../sinks/kafka/kafka-sink.js';
import { Outbox } from '../../../sinks/kafka/outbox.js';
import { Producer } from '../../../sinks/kafka/producer.js';
import { TopicDirectory } from '../../../sinks/kafka/topics.js';
import { parseEvent } from '../../../src/kit/index.js';
import type { KafkaService } from '../../services/index.js';
import { kafkaOptions } from '../../support/kafka-options.js';
import { pluginContext } from '../../support/plugin-context.js';
import { waitUntil } from '../../support/wait-until.js';
import { KafkaStage, names } from './kafka-stage.js';

const { signal } = new AbortController();

describe('the kafka sink', () => {
  const stage = new KafkaStage();

  it('writes events that a consumer of Kafka reads, and the next claim finds the position', async () => {
    const { write, claim } = await stage.claimed();
    expect(claim).toEqual({ epoch: 1, position: null });
    const first = await stage.setKeys('a', 20);
    expect(await write(first)).toEqual({ kind: 'durable' });
    const second = await stage.setKeys('b', 5);
    expect(await write(second)).toEqual({ kind: 'durable' });
    expect(await stage.open().claim(signal)).toEqual({ epoch: 2, position: second.position });

    const consumer = new Kafka({ brokers: [...stage.kafka.brokers], logLevel: logLevel.NOTHING }).consumer({
      groupId: stage.pipeline,
    });
    const read: string[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic: stage.topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void read.push(message.key?.toString() ?? '') });
    await waitUntil('the consumer has read all', () => read.length === 25);
    await consumer.disconnect();
    expect(read.sort()).toEqual([...names('a', 20), ...names('b', 5)].sort());
  });

  it('does not wake up again and again while there is nothing to write', async () => {
    const { write } = await stage.claimed();
    expect(await write(await stage.setKeys('idle', 20))).toEqual({ kind: 'durable' });
    const timers = vi.spyOn(globalThis, 'setTimeout');
    try {
      await delay(200);
      expect(timers.mock.calls.length).toBeLessThan(20);
    } finally {
      timers.mockRestore();
    }
  });

  it("puts each key where Kafka's own producer puts it, in order", async () => {
    const { write } = await stage.claimed({
      topics: { create: true, partitions: 6, replication: 1, config: {} },
    });
    stage.source.run('SET', 'schlüssel', 1);
    for (let i = 0; i < 40; i++) stage.source.run('RPUSH', `list ${i % 20}`, i);
    await write(await stage.source.take());
    const ours = new Map<string, number>();
    const lastOf = new Map<string, number>();
    for (const { key, partition, value } of await stage.reader.read(stage.topic)) {
      const name = key?.toString() ?? '';
      expect(ours.get(name) ?? partition).toBe(partition);
      ours.set(name, partition);
      const { seq } = parseEvent(value?.toString() ?? '').change;
      expect(seq).toBeGreaterThanOrEqual(lastOf.get(name) ?? 0);
      lastOf.set(name, seq);
    }
    expect(ours.size).toBe(21);
    expect(new Set(ours.values()).size).toBeGreaterThan(3);

    await stage.reader.create(`${stage.topic}.java`, 6);
    await produceByJava(stage.kafka, `${stage.topic}.java`, [...ours.keys()]);
    const theirs = (await stage.reader.read(`${stage.topic}.java`)).map(
      ({ key, partition }) => [key?.toString(), partition] as const,
    );
    expect(new Map(theirs)).toEqual(ours);
  });

  it('writes tombstones, headers, and topics and keys by templates', async () => {
    const { write } = await stage.claimed({
      topic: '{pipeline}.{entity}',
      key: '{namespace}/{id}',
      keyPattern: '{entity}:{id}',
      deletes: 'both',
      headers: { position: '{position}', op: '{op}' },
      compression: 'gzip',
    });
    stage.source.run('SET', 'user:1', 'ada');
    stage.source.run('DEL', 'user:1');
    stage.source.run('HSET', 'order/n:7:8', 'total', '42');
    await write(await stage.source.take());
    const users = await stage.reader.read(`${stage.pipeline}.user`);
    expect(users.map(({ key, value }) => [key?.toString(), value === null])).toEqual([
      ['default/1', false],
      ['default/1', false],
      ['default/1', true],
    ]);
    expect(users.map(({ headers }) => headers['op']?.toString())).toEqual(['put', 'delete', 'delete']);
    expect(users[2]?.headers['position']?.toString()).toBe('2.0');
    // A slash cannot stand in the name of a topic.
    const orders = await stage.reader.read(`${stage.pipeline}.order_n`);
    expect(orders.map(({ key }) => key?.toString())).toEqual(orders.map(() => 'default/7:8'));

    stage.source.run('SET', 'nopattern', 1);
    const outcome = await write(await stage.source.take());
    expect(outcome).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 0, change: 0, reason: expect.stringContaining('{entity}:{id}') }],
    });
  });

  it('writes Redis commands, or whole batches as they stand in the log', async () => {
    const redis = await stage.claimed({ value: 'redis', topic: '{pipeline}.commands' });
    const raw = await stage.claimed({
      value: 'batch',
      topic: '{pipeline}.batches',
      ...{ transactionalId: 'raw.{pipeline}', positionTopic: 'raw.{pipeline}' },
    });
    stage.source.run('SET', 'k', 'v');
    stage.source.run('HSET', 'h', 'f', '1', 'g', '2');
    const batch = await stage.source.take();
    await redis.write(batch);
    await raw.write(batch);
    const values = (await stage.reader.read(`${stage.pipeline}.commands`)).map(({ value }) =>
      value?.toString(),
    );
    expect(values).toContain('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');
    expect(values).toContain('*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\ng\r\n$1\r\n2\r\n');
    const records = await stage.reader.read(`${stage.pipeline}.batches`);
    expect(records.map(({ key, partition, value }) => ({ key, partition, value }))).toEqual(
      batch.transactions.map(({ bytes }) => ({ key: null, partition: 0, value: bytes })),
    );

    // Nothing can be left out of a batch: it is refused whole.
    stage.source.run('SET', 'huge', 'x'.repeat(1_100_000));
    expect(await raw.write(await stage.source.take())).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 0, change: 0, reason: expect.stringContaining('max.message.bytes') }],
    });
  });

  it('splits what does not fit into one record batch, and keeps it one transaction', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'max.message.bytes': '20000' } };
    const { write } = await stage.claimed({ topics });
    for (let i = 0; i < 100; i++) stage.source.run('SET', `large${i}`, 'x'.repeat(5_000));
    expect(await write(await stage.source.take())).toEqual({ kind: 'durable' });
    expect(await stage.readKeys()).toEqual(names('large', 100));
  });

  it('names a record that is over the limit of its topic as poison, and takes the rest', async () => {
    const topics = { create: true, partitions: 2, replication: 1, config: { 'max.message.bytes': '2000' } };
    const { write } = await stage.claimed({ topics });
    stage.source.run('SET', 'small', 'x');
    stage.source.run('SET', 'huge', 'x'.repeat(3_000));
    const batch = await stage.source.take();
    const outcome = await write(batch);
    expect(outcome).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: 1, change: 0, reason: expect.stringContaining('max.message.bytes 2000') }],
    });
    const [small, huge] = batch.transactions;
    const rest = { ...batch, transactions: [small, { ...huge, changes: [] }] };
    expect(await write(rest)).toEqual({ kind: 'durable' });
    expect(await stage.readKeys()).toEqual(['small']);
  });

  it('takes a record that was over the limit of its topic once that is raised, without a new claim', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'max.message.bytes': '2000' } };
    const { write } = await stage.claimed({ topics });
    stage.source.run('SET', 'huge', 'x'.repeat(3_000));
    const batch = await stage.source.take();
    expect(await write(batch)).toMatchObject({ kind: 'poison' });
    await stage.reader.configure(stage.topic, { 'max.message.bytes': '100000' });
    expect(await write(batch)).toEqual({ kind: 'durable' });
    expect(await stage.readKeys()).toEqual(['huge']);
  });

  it('lets a compressed record be as large as its topic takes it compressed', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'max.message.bytes': '2000' } };
    const { write } = await stage.claimed({ topics, compression: 'gzip' });
    stage.source.run('SET', 'compressible', 'x'.repeat(10_000));
    expect((await write(await stage.source.take())).kind).toBe('durable');
    expect(await stage.readKeys()).toEqual(['compressible']);
    stage.source.run('SET', 'noise', randomBytes(5_000));
    const noise = await stage.source.take();
    expect(await write(noise)).toMatchObject({
      kind: 'poison',
      rejections: [
        { transaction: 0, reason: expect.stringContaining(' bytes is, compressed, larger than ') },
      ],
    });
  });

  it('compresses with zstd where Node.js can, and says so where it cannot', async () => {
    const { zstdDecompress } = zlib as {
      zstdDecompress?: (bytes: Buffer, done: (error: Error | null, plain: Buffer) => void) => void;
    };
    if (zstdDecompress === undefined) {
      expect(() => stage.open({ compression: 'zstd' })).toThrow(
        `Node.js ${process.versions.node} has no zstd`,
      );
      return;
    }
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({ decompress: promisify(zstdDecompress) });
    const { write } = await stage.claimed({ compression: 'zstd' });
    expect((await write(await stage.setKeys('a', 100))).kind).toBe('durable');
    expect(await stage.readKeys()).toEqual(names('a', 100));
  });

  it('finds the record that is too large when the limit was lowered meanwhile', async () => {
    const { write } = await stage.claimed();
    await write(await stage.setKeys('a', 10));
    await stage.reader.configure(stage.topic, { 'max.message.bytes': '2000' });
    for (let i = 0; i < 8; i++) stage.source.run('SET', `b${i}`, i === 5 ? 'x'.repeat(3_000) : 'x');
    let batch = await stage.source.take();
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
    expect(await stage.readKeys()).toEqual([
      ...names('a', 10),
      ...names('b', 8).filter((name) => name !== 'b5'),
    ]);
  });

  it('takes what is within a limit that was lowered, however large the batch was that was refused', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: {} };
    const { write } = await stage.claimed({ topics });
    await write(await stage.setKeys('a', 1));
    await stage.reader.configure(stage.topic, { 'max.message.bytes': '2000' });
    for (let i = 0; i < 6; i++) stage.source.run('SET', `b${i}`, i === 5 ? 'x'.repeat(1_500) : 'x');
    const batch = await stage.source.take();
    expect((await write(batch)).kind).toBe('retryable');
    expect(await write(batch)).toEqual({ kind: 'durable' });
    expect(await stage.readKeys()).toEqual([...names('a', 1), ...names('b', 6)]);
  });

  it('refuses changes without a key for a compacted topic', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: { 'cleanup.policy': 'compact' } };
    const { write } = await stage.claimed({ topics });
    stage.source.run('SET', 'k', 1);
    stage.source.run('FLUSHDB');
    const batch = await stage.source.take();
    const flush = batch.transactions.findIndex(({ changes }) => changes.some(({ op }) => op === 'clear'));
    expect(await write(batch)).toMatchObject({
      kind: 'poison',
      rejections: [{ transaction: flush, reason: expect.stringContaining('without a key') }],
    });
  });

  it('does not take a topic for granted that it must not make', async () => {
    const { write } = await stage.claimed({
      topics: { create: false, partitions: 1, replication: 1, config: {} },
    });
    expect(await write(await stage.setKeys('a', 1))).toMatchObject({
      kind: 'fatal',
      error: { code: 'SINK_FAILED', message: expect.stringContaining(stage.topic) },
    });
  });

  it('keeps the positions of two sinks of one pipeline apart', async () => {
    const { write } = await stage.claimed();
    const batch = await stage.setKeys('a', 3);
    await write(batch);
    const options = kafkaOptions({ brokers: stage.kafka.brokers, topic: 'copy.{pipeline}' });
    const second = new KafkaSink(options, { ...pluginContext(stage.pipeline), sink: 'kafka-2' });
    stage.source.own(second);
    const claim = await second.claim(signal);
    expect(claim.position).toBeNull();
    expect((await second.write(batch, claim, signal)).kind).toBe('durable');
    expect((await write(await stage.setKeys('b', 3))).kind).toBe('durable');
  });

  it('lets one of two win that claim at the same moment, and neither lose anything', async () => {
    const first = await stage.claimed();
    await first.write(await stage.setKeys('a', 5));
    const contenders = [stage.open(), stage.open()];
    const claims = await Promise.allSettled(contenders.map((sink) => sink.claim(signal)));
    const batch = await stage.setKeys('b', 5);
    const outcomes = await Promise.all(
      claims.map(async (claim, at) =>
        claim.status === 'fulfilled'
          ? (await contenders[at]?.write(batch, claim.value, signal))?.kind
          : 'refused',
      ),
    );
    expect(outcomes.filter((kind) => kind === 'durable').length).toBe(1);
    expect(await stage.readKeys()).toEqual([...names('a', 5), ...names('b', 5)]);
  });

  it('does not begin again from the start when its position topic was deleted under it', async () => {
    const { sink, write } = await stage.claimed();
    await write(await stage.setKeys('a', 5));
    await stage.reader.delete([`tailrace.${stage.pipeline}.position`]);
    await waitUntil('the topic is gone', async () => {
      const topics = await stage.reader.topics();
      return !topics.includes(`tailrace.${stage.pipeline}.position`);
    });
    const batch = await stage.setKeys('b', 5);
    expect((await write(batch)).kind).toBe('unknown');
    await expect(sink.claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      message: expect.stringContaining('lost the position'),
    });
    expect(await stage.readKeys()).toEqual(names('a', 5));
  });

  it('refuses a position topic whose records the brokers delete after a while', async () => {
    const { sink, write } = await stage.claimed();
    await write(await stage.setKeys('a', 1));
    const topic = `tailrace.${stage.pipeline}.position`;
    await stage.reader.configure(topic, { 'cleanup.policy': 'compact,delete' });
    await expect(sink.claim(signal)).rejects.toMatchObject({
      code: 'SINK_REFUSED',
      message: expect.stringContaining('compact,delete'),
    });
    expect(await sink.check(signal)).toContainEqual(
      expect.objectContaining({ name: 'position topic', status: 'fail' }),
    );
    await stage.reader.configure(topic, { 'cleanup.policy': 'compact' });
    expect((await stage.claimAgain(sink)).position).not.toBeNull();
  });

  it('says what may be the matter when another pipeline has its transactional id', async () => {
    const transactionalId = 'of-both';
    const first = await stage.claimed({ transactionalId });
    const batch = await stage.setKeys('a', 3);
    stage.pipeline = `${stage.pipeline}-other`;
    await stage.claimed({ transactionalId });
    expect(await first.write(batch)).toMatchObject({
      kind: 'unknown',
      error: { message: expect.stringContaining('another process has this transactionalId') },
    });
    expect((await stage.claimAgain(first.sink)).position).toBeNull();
  });

  it('finds its position among many of other pipelines in one topic', async () => {
    const shared = { positionTopic: 'positions-of-all' };
    const { write } = await stage.claimed(shared);
    const batch = await stage.setKeys('a', 3);
    await write(batch);
    const quiet = stage.pipeline;
    stage.pipeline = `${quiet}-busy`;
    const busy = await stage.claimed(shared);
    for (let i = 0; i < 160; i++) {
      const each = await stage.setKeys(`${i}-`, 1);
      const { kind } = await busy.write(i === 0 ? { ...each, previous: null } : each);
      expect(kind).toBe('durable');
    }
    stage.pipeline = quiet;
    expect((await stage.open(shared).claim(signal)).position).toEqual(batch.position);
  });

  it('numbers records on across the end of the sequence', async () => {
    const options = { brokers: stage.kafka.brokers, clientId: 'wrap', tls: null, sasl: null };
    const cluster = new KafkaCluster(
      { ...options, connectTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
      pluginContext().log,
    );
    await cluster.connect();
    const settings = { create: true, partitions: 1, replication: 1, config: {} };
    const topics = new TopicDirectory(cluster, settings, new Outbox(false));
    await topics.require([stage.topic]);
    const timeouts = { transactionTimeoutMs: 60_000, requestTimeoutMs: 60_000 };
    const producer = await Producer.open(cluster, {
      transactionalId: null,
      codec: undefined,
      ...timeouts,
    });
    const partitions = topics.get(stage.topic)?.partitions ?? [];
    const [partition] = partitions;
    if (partition === undefined) throw new Error('the topic has no partition');
    partition.nextSequence = 2 ** 31 - 5;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) partition.add(Buffer.from(`${round}.${i}`), null);
      await producer.produce(partitions);
      topics.outbox.clear();
    }
    expect(partition.nextSequence).toBe(7);
    expect(await stage.reader.read(stage.topic)).toHaveLength(12);
    cluster.close();
  });
});

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
