import Encoder from 'kafkajs/src/protocol/encoder.js';
import type { ProtocolCall } from 'kafkajs/src/protocol/requests/index.js';
import { ByteWriter } from '../../src/kit/index.js';

/** A record batch and the partition that it goes to. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Uint8Array;
}

/** What a broker says about one partition of a request. */
export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  /** 0 = written */
  readonly errorCode: number;
}

/**
 * Produce, version 7: the newest that kafkajs speaks, and one that brokers from 2.1 to 4.x take.
 *
 *    request   transactional id: i16 length (−1 = none), bytes · acks i16 = −1 (all in-sync replicas) · timeout ms i32
 *              · topics: i32 count, each: name i16 length, bytes
 *                · partitions: i32 count, each: index i32 · record batch: i32 length, bytes
 *    answer    topics: i32 count, each: name · partitions: i32 count, each: index i32 · error code i16 · base offset i64
 *              · append time i64 · log start offset i64;   behind them: throttle ms i32
 *
 * At most one batch for each partition. The answer is an array of ProduceAnswer.
 */
export const produceCall = (
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly PartitionBatch[],
): ProtocolCall => {
  const body = encodeRequest(transactionalId, timeoutMs, batches);
  const encoder = new Encoder(1);
  encoder.buf = body;
  encoder.offset = body.length;
  return {
    request: { apiKey: 0, apiVersion: 7, apiName: 'Produce', encode: async () => encoder },
    response: { decode: async (payload) => decodeAnswer(payload), parse: async (decoded) => decoded },
  };
};

const encodeRequest = (
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly PartitionBatch[],
): Buffer => {
  const byTopic = new Map<string, PartitionBatch[]>();
  let batchBytes = 0;
  for (const batch of batches) {
    const others = byTopic.get(batch.topic);
    if (others === undefined) byTopic.set(batch.topic, [batch]);
    else others.push(batch);
    batchBytes += batch.batch.length + 8;
  }
  const out = new ByteWriter(batchBytes + 1024);
  writeString(out, transactionalId);
  writeInt16(out, -1);
  writeInt32(out, timeoutMs);
  writeInt32(out, byTopic.size);
  for (const [topic, partitions] of byTopic) {
    writeString(out, topic);
    writeInt32(out, partitions.length);
    for (const { partition, batch } of partitions) {
      writeInt32(out, partition);
      writeInt32(out, batch.length);
      out.raw(batch);
    }
  }
  return out.bytes;
};

const decodeAnswer = (payload: Buffer): { topics: ProduceAnswer[]; clientSideThrottleTime: number } => {
  const answers: ProduceAnswer[] = [];
  let at = 4;
  for (let topics = payload.readInt32BE(0); topics > 0; topics--) {
    const nameLength = payload.readInt16BE(at);
    const topic = payload.toString('utf8', at + 2, at + 2 + nameLength);
    at += 2 + nameLength;
    let partitions = payload.readInt32BE(at);
    at += 4;
    for (; partitions > 0; partitions--, at += answerBytes)
      answers.push({
        topic,
        partition: payload.readInt32BE(at),
        errorCode: payload.readInt16BE(at + 4),
      });
  }
  return { topics: answers, clientSideThrottleTime: payload.readInt32BE(at) };
};

const writeInt16 = (out: ByteWriter, value: number): void => {
  const bytes = out.claim(2);
  out.advance(bytes.writeInt16BE(value, out.length));
};

const writeInt32 = (out: ByteWriter, value: number): void => {
  const bytes = out.claim(4);
  out.advance(bytes.writeInt32BE(value, out.length));
};

const writeString = (out: ByteWriter, text: string | null): void => {
  writeInt16(out, text === null ? -1 : Buffer.byteLength(text));
  if (text !== null) out.utf8(text);
};

/** Of one partition in an answer. */
const answerBytes = 4 + 2 + 8 + 8 + 8;
