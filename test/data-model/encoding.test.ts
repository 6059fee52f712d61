import { describe, expect, it } from 'vitest';
import {
  encodeInternalKey,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
  readInternalKey,
} from '../../src/data-model/encoding/keys.js';
import { encodeListEnds, readListEnds } from '../../src/data-model/encoding/list-encoding.js';
import { encodeMetadata, isAlive, readMetadata } from '../../src/data-model/encoding/metadata.js';
import {
  encodeStreamFields,
  encodeStreamState,
  newStreamState,
  readStreamFields,
  readStreamState,
} from '../../src/data-model/encoding/stream-encoding.js';
import {
  encodeConsumerSubKey,
  encodeGroupSubKey,
  encodePendingSubKey,
  readGroupSubKey,
} from '../../src/data-model/encoding/stream-group-encoding.js';
import { encodeScoreKey, readScoreKey } from '../../src/data-model/encoding/zset-encoding.js';
import { fc } from '../support/fast-check.js';

const bytes = () => fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value));
const version = Buffer.from('33060638d01cd597', 'hex');

describe('keys', () => {
  it('are split into what they were made of, whatever bytes they hold', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), bytes(), bytes(), (namespace, userKey, subKey) => {
        const prefix = namespacePrefix(namespace);
        expect(encodeMetadataKey(prefix, userKey)).toEqual(Buffer.concat([prefix, userKey]));
        const key = encodeInternalKey(encodeSubKeyPrefix(prefix, userKey, version), subKey);
        expect(readInternalKey(key)).toEqual({ namespace: Buffer.from(namespace), userKey, version, subKey });
      }),
    );
  });

  it('that are cut short are no keys', () => {
    const key = encodeSubKeyPrefix(namespacePrefix('ns'), Buffer.from('user'), version);
    for (let length = 0; length < key.length; length++)
      expect(readInternalKey(key.subarray(0, length))).toBeUndefined();
  });

  it('with a slot are read when the reader is told so', () => {
    const prefix = Buffer.concat([namespacePrefix('ns'), Buffer.from([0x12, 0x34])]);
    const key = encodeSubKeyPrefix(prefix, Buffer.from('user'), version);
    expect(readInternalKey(key, { hasSlots: true })?.userKey.toString()).toBe('user');
    expect(readInternalKey(key)?.userKey.toString()).not.toBe('user');
  });
});

describe('metadata', () => {
  it('reads what it wrote', () => {
    const list = { type: 'list', expireMs: 1795230950081, version, size: 7 } as const;
    const payload = encodeListEnds({ head: -5, tail: 2 });
    expect(readMetadata(encodeMetadata({ ...list, payload }))).toEqual({ ...list, payload });
    const string = {
      type: 'string',
      expireMs: 0,
      version: Buffer.alloc(0),
      size: 0,
      payload: version,
    } as const;
    expect(readMetadata(encodeMetadata(string))).toEqual(string);
  });

  it('reads the old layout: expiry in seconds, size in 32 bits', () => {
    const old = Buffer.from('02000000e833060638d01cd59700000003', 'hex');
    expect(readMetadata(old)).toMatchObject({ type: 'hash', expireMs: 232_000, size: 3, version });
    expect(readMetadata(Buffer.from('0100000000aabb', 'hex'))?.payload).toEqual(Buffer.from('aabb', 'hex'));
  });

  it('of a hash without fields, or past its expiry, is no key', () => {
    const hash = { type: 'hash', expireMs: 1000, version, size: 1, payload: Buffer.alloc(0) } as const;
    expect(isAlive(hash, 1000)).toBe(true);
    expect(isAlive(hash, 1001)).toBe(false);
    expect(isAlive({ ...hash, expireMs: 0, size: 0 }, 0)).toBe(false);
    expect(isAlive({ ...hash, type: 'stream', expireMs: 0, size: 0 }, 0)).toBe(true);
  });

  it('is not read from too few bytes or an unknown type', () => {
    const value = encodeMetadata({ type: 'set', expireMs: 0, version, size: 1, payload: Buffer.alloc(0) });
    for (let length = 0; length < value.length; length++)
      expect(readMetadata(value.subarray(0, length))).toBeUndefined();
    expect(readMetadata(Buffer.from([0x8f, 0, 0, 0, 0, 0, 0, 0, 0]))).toBeUndefined();
  });
});

describe('sub-keys', () => {
  it('of lists hold positions on both sides of the middle', () => {
    expect(encodeListEnds({ head: -1, tail: 3 }).toString('hex')).toBe('7fffffffffffffff8000000000000003');
    expect(readListEnds(encodeListEnds({ head: -1, tail: 3 }))).toEqual({ head: -1, tail: 3 });
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.nat(), (head, length) => {
        const ends = { head, tail: Math.min(head + length, Number.MAX_SAFE_INTEGER) };
        expect(readListEnds(encodeListEnds(ends))).toEqual(ends);
      }),
    );
  });

  it('of the score index sort by score, then by member', () => {
    const scores = [Number.NEGATIVE_INFINITY, -1.5, -1e-300, 0, 1e-300, 2, 1e300, Number.POSITIVE_INFINITY];
    const keys = scores.flatMap((score) =>
      ['a', 'ab', 'b'].map((member) => encodeScoreKey(Buffer.alloc(0), score, Buffer.from(member))),
    );
    expect([...keys].sort(Buffer.compare)).toEqual(keys);
    expect(readScoreKey(keys[4])).toEqual({ score: -1.5, member: Buffer.from('ab') });
  });

  it('of stream groups, consumers and pending entries are split again', () => {
    const group = Buffer.from('g\0roup');
    const consumer = Buffer.from('');
    const id = { ms: 2n ** 64n - 1n, seq: 5n };
    expect(readGroupSubKey(encodeGroupSubKey(group))).toEqual({ kind: 'group', group });
    expect(readGroupSubKey(encodeConsumerSubKey(group, consumer))).toEqual({
      kind: 'consumer',
      group,
      consumer,
    });
    expect(readGroupSubKey(encodePendingSubKey(group, id))).toEqual({ kind: 'pending', group, id });
  });
});

describe('streams', () => {
  it('read their state and fields as written', () => {
    const state = { ...newStreamState, lastId: { ms: 5n, seq: 6n }, entriesAdded: 9n, groupCount: 1n };
    expect(readStreamState(encodeStreamState(state))).toEqual(state);
    const fields = [Buffer.from('f'), Buffer.alloc(0), Buffer.alloc(300, 7), Buffer.from([0, 255])];
    expect(readStreamFields(encodeStreamFields(fields))).toEqual(fields);
    expect(readStreamFields(Buffer.from([5, 1]))).toBeUndefined();
  });
});
