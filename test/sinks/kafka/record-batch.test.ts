import kafkajsMurmur2 from 'kafkajs/src/producer/partitioners/default/murmur2.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeRecordBatch from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import { describe, expect, it } from 'vitest';
import { codecOf } from '../../../sinks/kafka/compression.js';
import { murmur2, partitionOf } from '../../../sinks/kafka/murmur2.js';
import { encodeHeaders, RecordBatchBuilder, sequenceAfter } from '../../../sinks/kafka/record-batch.js';
import { crc32c } from '../../../src/kit/index.js';
import { fc } from '../../support/fast-check.js';

const bytes = fc.option(
  fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
  { nil: null },
);

describe('a record batch', () => {
  it('reads back by another implementation, compressed or not, with keys, values and headers of any bytes', async () => {
    const record = fc.record({ key: bytes, value: bytes, header: fc.uint8Array({ maxLength: 20 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 200 }),
        fc.constantFrom('none' as const, 'gzip' as const),
        fc.nat(2 ** 31 - 1),
        async (records, compression, sequence) => {
          const builder = new RecordBatchBuilder();
          for (const { key, value, header } of records)
            builder.append(key, value, header.length === 0 ? undefined : encodeHeaders([['h', header]]));
          const stamp = { producerId: 2n ** 40n, producerEpoch: 7, timestampMs: 1_700_000_000_000, sequence };
          const batch = await builder.finish({ ...stamp, isTransactional: true }, codecOf(compression));
          expect(batch.readUInt32BE(17)).toBe(crc32c(batch, 21));
          const read = await decodeRecordBatch(new Decoder(Buffer.from(batch)));
          expect(read).toMatchObject({
            producerId: String(2n ** 40n),
            producerEpoch: 7,
            firstSequence: sequence,
            inTransaction: true,
            isControlBatch: false,
            lastOffsetDelta: records.length - 1,
          });
          expect(read.records.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(
            records.map(({ key, value, header }) => ({
              ...{ key, value },
              headers: header.length === 0 ? {} : { h: Buffer.from(header) },
            })),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes time in proportion to its records, also when all are of one partition', () => {
    const key = Buffer.from('key');
    const value = Buffer.alloc(20, 'x');
    /** Of the processor, which others that use it do not change much. */
    const microsecondsOf = (batches: number, records: number): number => {
      const before = process.cpuUsage();
      for (let batch = 0; batch < batches; batch++) {
        const builder = new RecordBatchBuilder();
        for (let i = 0; i < records; i++) builder.append(key, value);
      }
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    microsecondsOf(20, 5_000);
    const inSmall = microsecondsOf(100, 5_000);
    const inOne = microsecondsOf(1, 500_000);
    // Quadratic would be 100 times.
    expect(inOne / inSmall).toBeLessThan(25);
  });

  it('numbers its records on from 0 behind 2^31 − 1, without a jump', () => {
    expect(sequenceAfter(0, 5)).toBe(5);
    expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0);
    expect(sequenceAfter(2_147_483_600, 100)).toBe(52);
  });
});

describe('the partition of a key', () => {
  it('is hashed as the Java client does', () => {
    const javaHashes: readonly (readonly [string, number])[] = [
      ['21', -973932308],
      ['foobar', -790332482],
      ['a-little-bit-long-string', -985981536],
      ['a-little-bit-longer-string', -1486304829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
      ['abc', 479470107],
    ];
    for (const [key, hash] of javaHashes) expect([key, murmur2(Buffer.from(key))]).toEqual([key, hash]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (key) => {
        expect(murmur2(key)).toBe(kafkajsMurmur2(Buffer.from(key)));
      }),
    );
  });

  it('is the first one for records without a key', () => {
    expect(partitionOf(null, 12)).toBe(0);
    expect(partitionOf(Buffer.from('21'), 1)).toBe(0);
  });
});
