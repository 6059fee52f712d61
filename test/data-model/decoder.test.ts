import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/data-model/change.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import { ColumnFamily } from '../../src/data-model/encoding/column-family.js';
import {
  encodeInternalKey,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
} from '../../src/data-model/encoding/keys.js';
import { encodeListEnds, writeListPosition } from '../../src/data-model/encoding/list-encoding.js';
import { encodeMetadata, type Metadata } from '../../src/data-model/encoding/metadata.js';
import { encodeStreamState, newStreamState } from '../../src/data-model/encoding/stream-encoding.js';
import { encodeScore, encodeScoreKey } from '../../src/data-model/encoding/zset-encoding.js';
import { toRedisCommands } from '../../src/data-model/redis/redis-commands.js';
import { isTailraceError } from '../../src/errors/index.js';
import { batchCount, WriteBatchBuilder } from '../../src/write-batch/index.js';
import { collectGarbage } from '../support/collect-garbage.js';
import { SeededRandom } from '../support/seeded-random.js';
import { readHistoryBatches } from './captured-history.js';

const prefix = namespacePrefix('__namespace');
const key = Buffer.from('k');
const noBytes = Buffer.alloc(0);
const version = (number: number): Buffer => Buffer.from(number.toString(16).padStart(16, '0'), 'hex');

const metadataOf = (type: Metadata['type'], more: Partial<Metadata> = {}): Buffer =>
  encodeMetadata({ type, expireMs: 0, version: version(1), size: 1, payload: Buffer.alloc(0), ...more });

const subKey = (name: string | Buffer, number = 1): Buffer =>
  encodeInternalKey(encodeSubKeyPrefix(prefix, key, version(number)), Buffer.from(name));

const batchOf = (sequence: number, build: (batch: WriteBatchBuilder) => void): Buffer => {
  const builder = new WriteBatchBuilder();
  build(builder);
  return Buffer.from(builder.finish(sequence));
};

const putMetadata = (batch: WriteBatchBuilder, value: Buffer): WriteBatchBuilder =>
  batch.put(ColumnFamily.metadata, encodeMetadataKey(prefix, key), value);

const textOf = (changes: readonly Change[]): string[] =>
  toRedisCommands({ changes }, { publish: true }).commands.map((command) => command.map(String).join(' '));

/** What a fresh decoder makes of one batch. */
const decodeAlone = (build: (batch: WriteBatchBuilder) => void) => {
  const { changes, undecodable } = new Decoder().decode(batchOf(1, build));
  return { commands: textOf(changes), codes: undecodable.map(({ code }) => code) };
};

const position = (at: number): Buffer => {
  const bytes = Buffer.alloc(8);
  writeListPosition(bytes, 0, at);
  return bytes;
};

it('the decoder makes the same of a large batch in turns as at once', async () => {
  const batch = batchOf(1, (builder) => {
    for (let at = 0; at < 2_500; at++) {
      builder.put(
        ColumnFamily.metadata,
        encodeMetadataKey(prefix, Buffer.from(`s${at}`)),
        metadataOf('string'),
      );
      builder.put(ColumnFamily.subKeys, subKey(`f${at}`), Buffer.from(`\0v${at}`));
      if (at % 7 === 0) builder.logData(Buffer.from('2'));
    }
    for (let at = 0; at < 2_500; at++) builder.put(ColumnFamily.subKeys, subKey(`m${at}`), noBytes);
    putMetadata(builder, metadataOf('set', { size: 2_500 }));
  });
  let turns = 0;
  const decoder = new Decoder();
  const next = async (): Promise<void> => void turns++;
  expect(await decoder.decodeInTurns(batch, { isOver: true, next })).toEqual(new Decoder().decode(batch));
  expect(turns).toBeGreaterThan(5);
  // What it remembers is the same, too.
  const more = batchOf(1 + batchCount(batch), (builder) =>
    builder.put(ColumnFamily.subKeys, subKey('more'), noBytes),
  );
  const asked = new Decoder();
  asked.decode(batch);
  expect(decoder.decode(more)).toEqual(asked.decode(more));
});

describe('the decoder, where the log alone does not tell', () => {
  it('says so when sub-keys come without metadata, hint or memory', () => {
    expect(decodeAlone((batch) => batch.put(ColumnFamily.subKeys, subKey('f'), Buffer.from('v')))).toEqual({
      commands: [],
      codes: ['DECODE_AMBIGUOUS'],
    });
  });

  it('says so when elements are put in a list without telling which', () => {
    const { commands, codes } = decodeAlone((batch) => {
      batch.put(ColumnFamily.subKeys, subKey(position(3)), Buffer.from('a'));
      batch.put(ColumnFamily.subKeys, subKey(position(4)), Buffer.from('b'));
      const payload = encodeListEnds({ head: 0, tail: 5 });
      putMetadata(batch, metadataOf('list', { size: 5, payload }));
    });
    expect([commands, codes]).toEqual([[], ['DECODE_AMBIGUOUS']]);
  });

  it('says so when a key starts anew and not all of it is in the log', () => {
    const decoder = new Decoder();
    const create = batchOf(1, (batch) => {
      batch.put(ColumnFamily.subKeys, subKey('f'), Buffer.from('v'));
      putMetadata(batch, metadataOf('hash'));
    });
    const other = batchOf(3, (batch) => {
      batch.put(ColumnFamily.subKeys, subKey('g', 2), Buffer.from('v'));
      putMetadata(batch, metadataOf('hash', { version: version(2), size: 7 }));
    });
    decoder.decode(create);
    expect(decoder.decode(other)).toMatchObject({
      changes: [],
      undecodable: [{ code: 'DECODE_AMBIGUOUS', seq: 3, ns: 'default' }],
    });
  });

  it.each([
    ['a kind of record that Kvrocks does not write', (batch: WriteBatchBuilder) => batch.merge(1, key, key)],
    ['an unknown column family', (batch: WriteBatchBuilder) => batch.put(9, key, key)],
    ['a search index', (batch: WriteBatchBuilder) => batch.put(ColumnFamily.search, key, key)],
    ['a sub-key that is too short', (batch: WriteBatchBuilder) => batch.put(0, Buffer.of(3, 1), key)],
    ['a metadata key that is too short', (batch: WriteBatchBuilder) => batch.put(1, Buffer.of(3, 1), key)],
    ['an empty key', (batch: WriteBatchBuilder) => batch.delete(1, Buffer.alloc(0))],
    ['metadata of no known type', (batch: WriteBatchBuilder) => putMetadata(batch, Buffer.of(0x8f, 1, 2))],
    ['metadata that is too short', (batch: WriteBatchBuilder) => putMetadata(batch, Buffer.of(0x82, 1, 2))],
    ['a range of sub-keys', (batch: WriteBatchBuilder) => batch.deleteRange(0, subKey('a'), subKey('b'))],
    [
      'a JSON document in CBOR',
      (batch: WriteBatchBuilder) => putMetadata(batch, metadataOf('json', { payload: Buffer.of(1, 0xa0) })),
    ],
  ])('reports %s as unsupported, and goes on', (_, build) => {
    const { codes, commands } = decodeAlone((batch) => {
      build(batch);
      putMetadata(batch, metadataOf('string', { payload: Buffer.from('v') }));
    });
    expect([codes, commands]).toEqual([['DECODE_UNSUPPORTED'], ['SET k v']]);
  });
});

describe('the decoder', () => {
  it('tells what a transaction renames from what it then removes by rank, which has no note', () => {
    const renamedAndRemoved = (batch: WriteBatchBuilder): void => {
      batch.logData(Buffer.from('5'));
      putMetadata(batch, metadataOf('zset', { size: 2 }));
      for (const [member, score] of [
        ['a', 1],
        ['b', 2],
      ] as const) {
        batch.put(ColumnFamily.subKeys, subKey(member), encodeScore(score));
        batch.put(ColumnFamily.scores, encodeScoreKey(subKey(''), score, Buffer.from(member)), noBytes);
      }
      batch.delete(ColumnFamily.subKeys, subKey('a'));
      batch.delete(ColumnFamily.scores, encodeScoreKey(subKey(''), 1, Buffer.from('a')));
      putMetadata(batch, metadataOf('zset', { size: 1 }));
    };
    expect(decodeAlone(renamedAndRemoved)).toEqual({
      commands: ['DEL k', 'ZADD k 1 a 2 b', 'ZREM k a'],
      codes: [],
    });
  });

  it('decodes a batch again without taking its own memory for what was before', () => {
    const decoder = new Decoder();
    const push = (sequence: number, at: number, size: number): Buffer =>
      batchOf(sequence, (batch) => {
        batch.logData(Buffer.from('3 7'));
        batch.put(ColumnFamily.subKeys, subKey(position(at)), Buffer.from('v'));
        const payload = encodeListEnds({ head: 0, tail: at + 1 });
        putMetadata(batch, metadataOf('list', { size, payload }));
      });
    decoder.decode(push(1, 0, 1));
    const second = push(3, 1, 2);
    expect(textOf(decoder.decode(second).changes)).toEqual(['RPUSH k v']);
    expect(textOf(decoder.decode(second).changes)).toEqual(['RPUSH k v']);
  });

  it('reads keys with slots when it is told that they have them', () => {
    const slotted = Buffer.concat([prefix, Buffer.of(0x30, 0x39)]);
    const bytes = batchOf(1, (batch) => {
      batch.logData(Buffer.from('2'));
      const internal = encodeInternalKey(encodeSubKeyPrefix(slotted, key, version(1)), Buffer.from('f'));
      batch.put(ColumnFamily.subKeys, internal, Buffer.from('v'));
      batch.put(ColumnFamily.metadata, encodeMetadataKey(slotted, key), metadataOf('hash'));
    });
    expect(textOf(new Decoder({ hasSlots: true }).decode(bytes).changes)).toEqual(['DEL k', 'HSET k f v']);
    const clear = batchOf(4, (batch) =>
      batch.deleteRange(1, slotted, Buffer.concat([prefix, Buffer.of(0x30, 0x3a)])),
    );
    expect(new Decoder({ hasSlots: true }).decode(clear).changes).toMatchObject([
      { op: 'clear', type: 'slot', slot: 0x3039, ns: 'default' },
    ]);
  });

  it('reads metadata as older versions of Kvrocks wrote it', () => {
    // flags without bit 7: expire in u32 seconds, size in u32
    const old = Buffer.concat([Buffer.of(0x02, 0xf0, 0, 0, 0), version(1), Buffer.of(0, 0, 0, 1)]);
    const { commands } = decodeAlone((batch) => {
      batch.put(ColumnFamily.subKeys, subKey('f'), Buffer.from('v'));
      putMetadata(batch, old);
    });
    expect(commands).toEqual(['DEL k', 'HSET k f v', `PEXPIREAT k ${0xf0000000 * 1000}`]);
  });

  // All as a Kvrocks of the 2.11 line wrote them.
  it('makes the stream that an XSETID of Kvrocks has made', () => {
    const batch = Buffer.from(
      'F90100000000000001000000030838205853455449440501130B5F5F6E616D65737061636573747265616D307988000000000000000033067F72' +
        '34543FD0000000000000000000000000000001F400000000000000000000000000000000000000000000000000000000000000AF00000000' +
        '000000010000000000000000000000000000000000000000000000000000000000000000000000000000001A0000000000000000',
      'hex',
    );
    expect(textOf(new Decoder().decode(batch).changes)).toEqual([
      'XGROUP CREATE stream0 tailrace 0 MKSTREAM',
      'XGROUP DESTROY stream0 tailrace',
      'XSETID stream0 500-0 ENTRIESADDED 26 MAXDELETEDID 175-1',
    ]);
  });

  it('passes over the consumers of a group that went before, which an XTRIM of Kvrocks takes for entries', () => {
    const batch = Buffer.from(
      '56590000000000000200000003013804053C0B5F5F6E616D6573706163650000000773747265616D30330752772155359CFFFFFFFFFFFFFFFF' +
        '0200000000000000026731000000000000000263320501130B5F5F6E616D65737061636573747265616D307988000000000000000033075277' +
        '2155359C000000000000000200000000000001F4000000000000000000000000000000000000000000000000FFFFFFFFFFFFFFFF0200000000' +
        '0000000000000000000000000000000000000000000000000000830000000000000000000000000000000A0000000000000005',
      'hex',
    );
    const { changes, undecodable } = new Decoder().decode(batch);
    expect(undecodable).toEqual([]);
    expect(textOf(changes).filter((command) => command.startsWith('XGROUP'))).toEqual([]);
  });

  it('makes the stream that a snapshot of a Kvrocks has without the entries that its size counts', () => {
    const lastGeneratedId = { ms: 9n, seq: 1n };
    const payload = encodeStreamState({ ...newStreamState, lastGeneratedId, entriesAdded: 4n });
    const { commands } = decodeAlone((batch) =>
      putMetadata(batch, metadataOf('stream', { size: 2, payload })),
    );
    expect(commands).toEqual([
      'XGROUP CREATE k tailrace 0 MKSTREAM',
      'XGROUP DESTROY k tailrace',
      'XSETID k 9-1 ENTRIESADDED 4 MAXDELETEDID 0-0',
    ]);
  });

  it('takes an expiry that is larger than a number holds for the largest', () => {
    const batch = Buffer.from(
      '9B04000000000000010000000303302038 05010E0B5F5F6E616D6573706163656B36 0D816BC75FCF630B733976383333'.replaceAll(
        ' ',
        '',
      ),
      'hex',
    );
    const { changes, undecodable } = new Decoder().decode(batch);
    expect(undecodable).toEqual([]);
    expect(changes).toMatchObject([{ op: 'expire', ttlAt: Number.MAX_SAFE_INTEGER }]);
  });

  it('keeps its memory within its bound', () => {
    const decoder = new Decoder({ memoryBytes: 64 * 1024 });
    let sequence = 1;
    const create = (name: string): Buffer => {
      const user = Buffer.from(name);
      const bytes = batchOf(sequence, (batch) => {
        const sub = encodeInternalKey(encodeSubKeyPrefix(prefix, user, version(1)), Buffer.from('f'));
        batch.put(ColumnFamily.subKeys, sub, Buffer.from('v'));
        batch.put(ColumnFamily.metadata, encodeMetadataKey(prefix, user), metadataOf('hash'));
      });
      sequence += batchCount(bytes);
      return bytes;
    };
    collectGarbage();
    const heapBefore = process.memoryUsage().heapUsed;
    for (let at = 0; at < 200_000; at++) decoder.decode(create(`key-${at}`));
    collectGarbage();
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(64 * 1024 * 1024);
  });

  it('lets go of a large batch when it has decoded it', async () => {
    const decoder = new Decoder();
    const decodeLarge = (): WeakRef<ArrayBufferLike> => {
      const bytes = batchOf(1, (batch) => {
        putMetadata(batch, metadataOf('hash', { size: 20_000 }));
        for (let at = 0; at < 20_000; at++)
          batch.put(ColumnFamily.subKeys, subKey(`f${at}`), Buffer.alloc(50));
      });
      expect(decoder.decode(bytes).changes).toHaveLength(20_001);
      return new WeakRef(bytes.buffer);
    };
    const held = decodeLarge();
    await new Promise((resolve) => setImmediate(resolve)); // what a WeakRef was made of lives until then
    collectGarbage();
    expect(held.deref()).toBeUndefined();
    expect(
      decoder.decode(batchOf(20_002, (batch) => batch.put(0, subKey('f1'), noBytes))).changes,
    ).toHaveLength(1);
  });

  it('tells namespaces, ranges of them and what is not data apart', () => {
    const decoder = new Decoder();
    const tenant = namespacePrefix('tenant');
    const { changes } = decoder.decode(
      batchOf(1, (batch) => {
        batch.put(1, encodeMetadataKey(tenant, key), metadataOf('string', { payload: Buffer.from('v') }));
        batch.deleteRange(1, tenant, Buffer.concat([tenant.subarray(0, -1), Buffer.from('u')]));
        batch.put(ColumnFamily.pubsub, Buffer.from('channel'), Buffer.from('message'));
        batch.put(ColumnFamily.propagate, Buffer.from('lua_f_1'), Buffer.from('return 1'));
        batch.deleteRange(ColumnFamily.propagate, Buffer.from('lua_f_'), Buffer.from('lua_f`'));
        batch.deleteRange(1, encodeMetadataKey(prefix, key), encodeMetadataKey(prefix, Buffer.from('l')));
      }),
    );
    expect(changes.map(({ op, type, ns, seq, index }) => [op, type, ns, seq, index])).toEqual([
      ['put', 'string', 'tenant', 1, 0],
      ['clear', 'namespace', 'tenant', 2, 1],
      ['publish', 'pubsub', 'default', 3, 2],
      ['propagate', 'script', 'default', 4, 3],
      ['propagate', 'script', 'default', 5, 4],
      ['clear', 'all', '', 6, 5],
    ]);
    const { unsupported } = toRedisCommands({ changes });
    expect(unsupported.map(({ change }) => change)).toEqual([0, 1]);
  });

  it('answers damaged batches with an error that names the offset, or with values, and never otherwise', () => {
    const random = SeededRandom.fromEnvironment('damaged batches');
    const batches = readHistoryBatches();
    const decoder = new Decoder();
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(random.pick(batches));
      const flips = 1 + random.below(4);
      for (let flip = 0; flip < flips; flip++) bytes[random.below(bytes.length)] = random.below(256);
      const cut = random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
      try {
        const transaction = decoder.decode(cut);
        toRedisCommands(transaction);
        for (const [at, change] of transaction.changes.entries()) expect(change.index).toBe(at);
      } catch (error) {
        if (!isTailraceError(error)) throw error;
        expect(['BATCH_CORRUPT', 'BATCH_RECORD_UNKNOWN']).toContain(error.code);
        expect(error.context['offset']).toBeTypeOf('number');
      }
    }
  });
});
