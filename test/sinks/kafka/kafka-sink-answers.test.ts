import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../../sinks/kafka/cluster.js';
import type { KafkaSinkOptions } from '../../../sinks/kafka/index.js';
import type { KafkaSink } from '../../../sinks/kafka/kafka-sink.js';
import { configOf } from '../../../sinks/kafka/topics.js';
import { isSamePosition, type SinkBatch } from '../../../src/kit/index.js';
import { freePort } from '../../services/index.js';
import { Api, KafkaMeddler, type Meddling } from '../../support/kafka-meddler.js';
import { pluginContext } from '../../support/plugin-context.js';
import { waitUntil } from '../../support/wait-until.js';
import { KafkaStage, names } from './kafka-stage.js';

const { signal } = new AbortController();

describe('the kafka sink, when answers are lost, late or other than hoped for', () => {
  let meddledPort: number;
  let meddler: KafkaMeddler;
  const stage = new KafkaStage(async () => {
    meddledPort = await freePort();
    return {
      listeners: { MEDDLED: { protocol: 'PLAINTEXT', advertisedPort: meddledPort } },
      settings: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200' },
    };
  });

  beforeAll(async () => {
    meddler = await KafkaMeddler.open(stage.kafka.listenerPorts['MEDDLED'] ?? 0, meddledPort);
  });
  afterAll(() => meddler[Symbol.asyncDispose]());

  const meddled = (): Partial<KafkaSinkOptions> => ({ brokers: [`127.0.0.1:${meddler.port}`] });

  /** On a slow machine brokers lose their patience, or their leaders, in between. */
  const writeAtLast = async (sink: KafkaSink, batch: SinkBatch): Promise<void> => {
    for (;;) {
      const claim = await stage.claimAgain(sink);
      if (isSamePosition(claim.position, batch.position)) return;
      if ((await sink.write(batch, claim, signal)).kind === 'durable') return;
    }
  };

  it('writes nothing while there are too few replicas, and all of it once when there are enough', async () => {
    const { write } = await stage.claimed(meddled());
    await write(await stage.setKeys('a', 10));
    const batch = await stage.setKeys('b', 10);
    meddler.answerInstead(Api.Produce, (request) => produceAnswer(request, 19));
    expect(await write(batch)).toMatchObject({
      kind: 'retryable',
      error: { message: expect.stringContaining('NOT_ENOUGH_REPLICAS') },
    });
    expect(await write(batch)).toEqual({ kind: 'durable' });
    expect(await stage.readKeys()).toEqual([...names('a', 10), ...names('b', 10)]);
  });

  it('waits for brokers that are just starting, and for no more brokers than there are', async () => {
    const sink = stage.open(meddled());
    meddler.answerInstead(Api.CreateTopics, (request) =>
      createAnswer(
        request,
        38,
        'Unable to replicate the partition 1 time(s): All brokers are currently fenced.',
      ),
    );
    await expect(sink.claim(signal)).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' });
    const tooFew =
      'The target replication factor of 3 cannot be reached because only 1 broker(s) are registered.';
    meddler.answerInstead(Api.CreateTopics, (request) => createAnswer(request, 38, tooFew));
    await expect(sink.claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      message: expect.stringContaining('INVALID_REPLICATION_FACTOR'),
    });
    expect((await sink.claim(signal)).position).toBeNull();
  });

  it('writes nothing twice when what was written in part could not be undone at once', async () => {
    const { sink, write } = await stage.claimed(meddled());
    await write(await stage.setKeys('a', 30));
    const batch = await stage.setKeys('b', 30);
    meddler.meddle(Api.Produce, (payload) => withPartitionError(payload, 19));
    const coordinatorNotAvailable = 15;
    meddler.answerInstead(Api.EndTxn, () => Buffer.from([0, 0, 0, 0, 0, coordinatorNotAvailable]));
    expect((await write(batch)).kind).toBe('unknown');
    const claim = await stage.claimAgain(sink);
    expect(await sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect((await stage.readKeys()).toSorted()).toEqual([...names('a', 30), ...names('b', 30)].toSorted());
  });

  it('asks what holds when the answer to a commit is lost, late or wrong, and writes nothing twice', async () => {
    let previous = await stage.claimed({ ...meddled(), requestTimeout: 10_000 });
    const expected: string[] = [];
    const lost: readonly (readonly [string, Meddling])[] = [
      ['cut', () => 'cut'],
      ['held', () => 'hold'],
      ['wrong', (payload) => withErrorCode(payload, 4, 16)],
    ];
    for (const [how, meddling] of lost) {
      const batch = await stage.setKeys(`${how} `, 10);
      expected.push(...names(`${how} `, 10));
      meddler.meddle(Api.EndTxn, meddling);
      expect([how, (await previous.write(batch)).kind]).toEqual([how, 'unknown']);
      expect([how, (await previous.write(batch)).kind]).toEqual([how, 'unknown']);
      const claim = await stage.claimAgain(previous.sink);
      expect([how, claim.position]).toEqual([how, batch.position]);
      previous = { ...previous, claim, write: (next) => previous.sink.write(next, claim, signal) };
    }
    expect(await stage.readKeys()).toEqual(expected);
  });

  it('outlives a connection that is lost while the rest of a batch is being compressed', async () => {
    const topics = { create: true, partitions: 1, replication: 1, config: {} };
    const { sink, write } = await stage.claimed({ ...meddled(), topics, compression: 'gzip' });
    for (let i = 0; i < 5; i++) stage.source.run('SET', `a${i}`, randomBytes(400_000).toString('base64'));
    const batch = await stage.source.take();
    meddler.meddle(Api.Produce, () => 'cut');
    expect((await write(batch)).kind).toBe('unknown');
    await writeAtLast(sink, batch);
    expect(await stage.readKeys()).toEqual(names('a', 5));
  });

  it('opens one connection to a broker, however many requests are the first', async () => {
    const [address = ''] = meddled().brokers ?? [];
    const timeouts = { connectTimeoutMs: 60_000, requestTimeoutMs: 60_000 };
    const options = { brokers: [address], clientId: 'at-once', tls: null, sasl: null, ...timeouts };
    const cluster = new KafkaCluster(options, pluginContext().log);
    let opened = 0;
    for (let i = 0; i < 3; i++)
      meddler.meddle(Api.ApiVersions, (answer) => {
        opened++;
        return answer;
      });
    await cluster.connect();
    await cluster.describeTopics([]);
    await Promise.all([stage.topic, stage.topic].map((topic) => configOf(cluster, topic, [])));
    cluster.close();
    expect(opened).toBe(2); // one to the broker that was named, one to the broker that it named
  });

  it('takes no partition for written that the answer does not name, or names with an error', async () => {
    const { sink, claim } = await stage.claimed(meddled());
    const batch = await stage.setKeys('a', 30);
    await sink.write(batch, claim, signal);
    let { epoch, position } = claim;
    position = batch.position;
    const next = await stage.setKeys('b', 30);
    for (const meddling of [withoutFirstPartition, (payload: Buffer) => withPartitionError(payload, 7)]) {
      meddler.meddle(Api.Produce, meddling);
      expect((await sink.write(next, { epoch, position }, signal)).kind).toBe('unknown');
      ({ epoch, position } = await stage.claimAgain(sink));
      expect(position).toEqual(batch.position);
    }
    expect((await sink.write(next, { epoch, position }, signal)).kind).toBe('durable');
    expect(await stage.readKeys()).toEqual([...names('a', 30), ...names('b', 30)]);
  });

  it('goes on after a pause in which the brokers gave up its transaction, if nobody took over', async () => {
    const slow = { ...meddled(), transactionTimeout: 1_000, requestTimeout: 20_000 };
    const { sink, write } = await stage.claimed(slow);
    const batch = await stage.setKeys('a', 10);
    // The broker's answer comes when its patience is over: once the position topic has the marker of an abort.
    let deliver: (() => void) | undefined;
    meddler.meddle(Api.Produce, (_, release) => {
      deliver = release;
      return 'hold';
    });
    const writing = write(batch);
    await waitUntil('the records are there', () => deliver !== undefined);
    await waitUntil('the transaction was given up', async () => {
      const { end, stable } = await stage.reader.ends(`tailrace.${stage.pipeline}.position`);
      return stable === end;
    });
    deliver?.();
    expect((await writing).kind).toBe('unknown');
    expect((await stage.claimAgain(sink)).position).toBeNull();
    await writeAtLast(sink, batch);
    expect(await stage.readKeys()).toEqual(names('a', 10));
  });

  it('does not take the pipeline back from a process that overtakes it in the middle of a claim', async () => {
    const first = await stage.claimed(meddled());
    expect(await first.write(await stage.setKeys('a', 10))).toEqual({ kind: 'durable' });
    const batch = await stage.setKeys('b', 10);
    let deliver: (() => void) | undefined;
    meddler.meddle(Api.FindCoordinator, (_, release) => {
      deliver = release;
      return 'hold';
    });
    const claiming = first.sink.claim(signal);
    const refused = expect(claiming).rejects.toMatchObject({ code: 'SINK_FENCED' });
    await waitUntil('it has looked for a successor', () => deliver !== undefined);
    const second = await stage.claimed();
    deliver?.();
    await refused;
    // The broker has fenced the second, too: it claims again, for nobody overtook it.
    expect((await second.write(batch)).kind).toBe('unknown');
    const claim = await stage.claimAgain(second.sink);
    expect(await second.sink.write(batch, claim, signal)).toEqual({ kind: 'durable' });
    expect((await stage.readKeys()).toSorted()).toEqual([...names('a', 10), ...names('b', 10)].toSorted());
  });

  it('is checked as soon as the brokers of a new cluster know who coordinates', async () => {
    const coordinatorNotAvailable = 15;
    for (let times = 0; times < 3; times++)
      meddler.meddle(Api.FindCoordinator, (payload) => withErrorCode(payload, 4, coordinatorNotAvailable));
    expect(await stage.open(meddled()).check(signal)).toContainEqual(
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
    await expect(stage.open(meddled()).claim(signal)).rejects.toMatchObject({
      code: 'SINK_FAILED',
      remedy: 'Kafka 2.1 or later is needed.',
    });
  });

  it('connects again when a broker has closed its idle connections', async () => {
    const { write } = await stage.claimed(meddled());
    await write(await stage.setKeys('a', 5));
    await meddler.hangUp();
    expect((await write(await stage.setKeys('b', 5))).kind).toBe('durable');
    expect(await stage.readKeys()).toEqual([...names('a', 5), ...names('b', 5)]);
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

/**
 * The answer to CreateTopics that refuses its one topic: throttle i32, topics i32, name, error code i16, message; a
 * string has its length as i16 before it.
 */
const createAnswer = (request: Buffer, code: number, message: string): Buffer => {
  const text = (words: Buffer): Buffer =>
    Buffer.concat([Buffer.from([words.length >> 8, words.length]), words]);
  const name = request.subarray(6, 6 + request.readInt16BE(4));
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]);
  return Buffer.concat([head, text(name), Buffer.from([0, code]), text(Buffer.from(message))]);
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
