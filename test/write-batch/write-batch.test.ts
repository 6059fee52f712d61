import { describe, expect, it } from 'vitest';
import { isTailraceError } from '../../src/errors/index.js';
import {
  RecordKind,
  validateWriteBatch,
  WriteBatchBuilder,
  WriteBatchReader,
} from '../../src/write-batch/index.js';
import { RecordTag } from '../../src/write-batch/record-kind.js';
import { fc } from '../support/fast-check.js';
import { SeededRandom } from '../support/seeded-random.js';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const family = fc.constantFrom(0, 1, 2, 5, 130, 70_000);
const record = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), family, key: bytes, value: bytes }),
  fc.record({ kind: fc.constant('delete' as const), family, key: bytes }),
  fc.record({ kind: fc.constant('singleDelete' as const), family, key: bytes }),
  fc.record({ kind: fc.constant('deleteRange' as const), family, key: bytes, value: bytes }),
  fc.record({ kind: fc.constant('merge' as const), family, key: bytes, value: bytes }),
  fc.record({ kind: fc.constant('logData' as const), value: bytes }),
);
type BatchRecord = typeof record extends fc.Arbitrary<infer Value> ? Value : never;

const kinds = {
  put: RecordKind.Put,
  delete: RecordKind.Delete,
  singleDelete: RecordKind.SingleDelete,
  deleteRange: RecordKind.DeleteRange,
  merge: RecordKind.Merge,
  logData: RecordKind.LogData,
};

const build = (records: readonly BatchRecord[]): WriteBatchBuilder => {
  const batch = new WriteBatchBuilder(16);
  for (const entry of records)
    if (entry.kind === 'logData') batch.logData(entry.value);
    else if (entry.kind === 'delete' || entry.kind === 'singleDelete')
      batch[entry.kind](entry.family, entry.key);
    else batch[entry.kind](entry.family, entry.key, entry.value);
  return batch;
};

describe('write batch', () => {
  it('reads back every record that was built', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), fc.nat(2 ** 40), (records, sequence) => {
        const batch = build(records);
        const reader = new WriteBatchReader(batch.finish(sequence));
        expect([reader.sequence, reader.count]).toEqual([sequence, batch.count]);
        let counted = 0;
        for (const expected of records) {
          expect(reader.next()).toBe(true);
          expect(reader.kind).toBe(kinds[expected.kind]);
          if (expected.kind !== 'logData') {
            expect(reader.index).toBe(counted++);
            expect([reader.columnFamily, reader.key()]).toEqual([expected.family, expected.key]);
          }
          if ('value' in expected) expect(reader.value()).toEqual(expected.value);
        }
        expect(reader.next()).toBe(false);
        expect(counted).toBe(batch.count);
      }),
    );
  });

  it('writes the bytes that a real Kvrocks wrote for HSET user:1000 name Alice age 30', () => {
    const key = (field: string): Buffer =>
      Buffer.concat([
        Buffer.from('\x0b__namespace\0\0\0\x09user:1000', 'latin1'),
        Buffer.from('32d99cc23c440ffa', 'hex'),
        Buffer.from(field),
      ]);
    const metadata = Buffer.from('82000000000000000032d99cc23c440ffa0000000000000002', 'hex');
    const batch = new WriteBatchBuilder()
      .logData(Buffer.from('2'))
      .put(0, key('age'), Buffer.from('30'))
      .put(0, key('name'), Buffer.from('Alice'))
      .put(1, Buffer.from('\x0b__namespaceuser:1000', 'latin1'), metadata);
    expect(batch.finish(9).toString('hex').toUpperCase()).toBe(
      '0900000000000000030000000301320124' +
        '0B5F5F6E616D65737061636500000009757365723A3130303032D99CC23C440FFA616765' +
        '0233300125' +
        '0B5F5F6E616D65737061636500000009757365723A3130303032D99CC23C440FFA6E616D65' +
        '05416C6963650501' +
        '150B5F5F6E616D657370616365757365723A31303030' +
        '1982000000000000000032D99CC23C440FFA0000000000000002',
    );
  });

  it('reads every kind of record that the format defines', () => {
    const text = (word: string): Buffer => Buffer.concat([Buffer.of(word.length), Buffer.from(word)]);
    const body = Buffer.concat([
      Buffer.of(RecordTag.BeginPrepare),
      Buffer.of(RecordTag.BlobIndexInCf, 3),
      text('k'),
      text('v'),
      Buffer.of(RecordTag.WideColumnEntity),
      text('k'),
      text('v'),
      Buffer.of(RecordTag.TimedPutInCf, 2),
      text('k'),
      text('v'),
      Buffer.of(RecordTag.EndPrepare),
      text('xid'),
      Buffer.of(RecordTag.CommitWithTimestamp),
      text('t'),
      text('xid'),
      Buffer.of(RecordTag.Noop),
    ]);
    const header = Buffer.alloc(12);
    header.writeUInt32LE(3, 8);
    const reader = new WriteBatchReader(Buffer.concat([header, body]));
    const seen: number[] = [];
    while (reader.next()) seen.push(reader.kind);
    const marker = RecordKind.TransactionMarker;
    expect(seen).toEqual([
      marker,
      RecordKind.BlobIndex,
      RecordKind.WideColumnEntity,
      RecordKind.TimedPut,
      marker,
      marker,
      marker,
    ]);
  });

  it('appends the records of another batch', () => {
    const first = new WriteBatchBuilder().put(0, Buffer.from('a'), Buffer.from('1'));
    const other = Buffer.from(
      new WriteBatchBuilder().delete(1, Buffer.from('b')).logData(Buffer.from('x')).finish(7),
    );
    expect(validateWriteBatch(first.append(other).finish(3))).toEqual({ sequence: 3, count: 2 });
  });

  it('refuses unknown tags, wrong counts and lengths beyond the end, naming the offset', () => {
    const good = Buffer.from(
      new WriteBatchBuilder().put(1, Buffer.from('key'), Buffer.from('value')).finish(1),
    );
    const wrongCount = Buffer.from(good);
    wrongCount.writeUInt32LE(2, 8);
    const unknown = Buffer.from(good);
    unknown[12] = 0x7e;
    for (const [bad, code, offset] of [
      [good.subarray(0, 5), 'BATCH_CORRUPT', 5],
      [good.subarray(0, good.length - 1), 'BATCH_CORRUPT', 12],
      [wrongCount, 'BATCH_CORRUPT', 8],
      [unknown, 'BATCH_RECORD_UNKNOWN', 12],
      [Buffer.alloc(12, 0xff), 'BATCH_CORRUPT', 0],
    ] as const) {
      let error: unknown;
      try {
        validateWriteBatch(bad);
      } catch (caught) {
        error = caught;
      }
      expect(isTailraceError(error, code)).toBe(true);
      expect(isTailraceError(error) && error.context['offset']).toBe(offset);
    }
  });

  it('never throws anything but its own errors on garbage', () => {
    const random = SeededRandom.fromEnvironment('write batch garbage');
    for (let i = 0; i < 20_000; i++) {
      const garbage = random.bytes(random.below(80));
      if (garbage.length >= 12) garbage.fill(0, 4, 8).writeUInt32LE(random.below(4), 8);
      try {
        validateWriteBatch(garbage);
      } catch (error) {
        expect(isTailraceError(error)).toBe(true);
      }
    }
  });
});
