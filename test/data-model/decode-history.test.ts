import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from '../../src/data-model/change.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import { ColumnFamily } from '../../src/data-model/encoding/column-family.js';
import { readMetadata } from '../../src/data-model/encoding/metadata.js';
import { CommandEncoder } from '../../src/data-model/redis/redis-commands.js';
import { ByteWriter, parseRedisUrl, ReplyError, RespConnection } from '../../src/resp/index.js';
import { WriteBatchReader } from '../../src/write-batch/index.js';
import { type RedisService, startRedis } from '../services/index.js';
import { readRedisState } from '../support/redis-state.js';
import { SeededRandom } from '../support/seeded-random.js';
import { readHistoryBatches, readHistoryState } from './captured-history.js';

/**
 * The target's expiries, by the clock of the source: a key that had expired when the source made the next one
 * is gone in the target as well.
 */
class Expiries {
  readonly #ttlAt = new Map<string, number>();

  note(change: Change): void {
    if (!('key' in change)) return;
    const key = Buffer.from(change.key).toString('latin1');
    if ('ttlAt' in change && change.ttlAt !== undefined) this.#ttlAt.set(key, change.ttlAt);
    else if (change.op === 'persist' || change.type === 'key' || change.type === 'string')
      this.#ttlAt.delete(key);
  }

  /** Versions hold the time at which a key was made, in microseconds << 11. */
  passedBefore(batch: Buffer): Buffer[] {
    let nowMs = 0;
    const reader = new WriteBatchReader(batch);
    while (reader.next()) {
      const metadata =
        reader.columnFamily === ColumnFamily.metadata ? readMetadata(reader.value()) : undefined;
      if (metadata !== undefined && metadata.version.length > 0)
        nowMs = Math.max(nowMs, Number((metadata.version.readBigUInt64BE() >> 11n) / 1000n));
    }
    const passed = [...this.#ttlAt].filter(([, ttlAt]) => ttlAt < nowMs).map(([key]) => key);
    for (const key of passed) this.#ttlAt.delete(key);
    return passed.map((key) => Buffer.from(key, 'latin1'));
  }
}

/** Expiries are moved far into the future, so that replaying an old history does not remove keys on the way. */
const ttlGraceMs = 20 * 365 * 86_400_000;

describe('a history of 12,000 random commands on a real Kvrocks, replayed into a real Redis', () => {
  let service: RedisService;
  let redis: RespConnection;
  beforeAll(async () => {
    service = await startRedis();
    redis = await RespConnection.open(parseRedisUrl(service.url));
  });
  afterAll(async () => {
    redis.close();
    await service.stop();
  });

  const replay = async (mustRestart: () => boolean): Promise<void> => {
    await redis.call('FLUSHALL');
    let decoder = new Decoder();
    const encoder = new CommandEncoder({ ttlGraceMs });
    const expiries = new Expiries();
    for (const batch of readHistoryBatches()) {
      if (mustRestart()) decoder = new Decoder();
      const transaction = decoder.decode(batch);
      const { changes, undecodable, first } = transaction;
      const out = new ByteWriter();
      const commands = encoder.append(out, transaction);
      for (const key of expiries.passedBefore(batch)) await redis.call('DEL', key);
      for (const change of changes) expiries.note(change);
      expect([undecodable, encoder.unsupported], `batch ${first}`).toEqual([[], []]);
      if (commands === 0) continue;
      const replies = await redis.send(out.take(), commands);
      const refused = replies.filter((reply) => reply instanceof ReplyError);
      expect(refused, `batch ${first} ${batch.toString('hex')}`).toEqual([]);
    }
    const expected = readHistoryState();
    const actual = await readRedisState(redis);
    for (const [key, state] of actual) {
      const wanted = expected.get(key);
      const pexpireat = state.pexpireat === null ? null : state.pexpireat - ttlGraceMs;
      if (wanted === undefined)
        expect(pexpireat ?? Number.POSITIVE_INFINITY, key).toBeLessThan(capturedUntilMs);
      else {
        const type = wanted.type === 'bitmap' || wanted.type === 'ReJSON-RL' ? 'string' : wanted.type;
        const same = { type: state.type, pexpireat, value: state.value };
        expect(same, key).toEqual({ type, pexpireat: wanted.pexpireat, value: wanted.value });
      }
    }
    expect([...expected.keys()].filter((key) => !actual.has(key))).toEqual([]);
  };

  it('gives the same data key by key, expiries included', () => replay(() => false));

  it('gives the same data when every batch is decoded without any memory', () => replay(() => true));

  it('gives the same data when the decoder loses its memory now and then', () => {
    const random = SeededRandom.fromEnvironment('decoder restarts');
    return replay(() => random.next() < 0.05);
  });
});

/** Keys that expired before the state was read are not in it. */
const capturedUntilMs = 1_795_240_000_000;
