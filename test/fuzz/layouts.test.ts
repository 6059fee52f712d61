import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { valueTypes } from '../../src/data-model/encoding/type-number.js';
import { CommandEncoder, Decoder, EventEncoder } from '../../src/data-model/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { ByteWriter } from '../../src/resp/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { faultOfEvent } from '../support/change-event-schema.js';
import { SeededRandom } from '../support/seeded-random.js';

/** MUTATIONS=1000000 is the long setting. */
const batches = Number(process.env['MUTATIONS'] ?? 15_000) / 5;

/** Records with the form of Kvrocks' and what no Kvrocks writes in each of their places. */
class StrangeRecords {
  readonly #random: SeededRandom;
  readonly #batch = new WriteBatchBuilder();
  #namespace: Buffer = namespaces[0];
  #key: Buffer = keys[0];
  #version: Buffer = Buffer.alloc(8);
  #type = 1;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  batch(sequence: number): Buffer {
    const random = this.#random;
    this.#batch.clear();
    for (let left = 1 + random.below(12); left > 0; left--) {
      if (random.below(3) === 0) this.#chooseKey();
      if (random.below(3) === 0) this.#batch.logData(this.#cut(Buffer.from(this.#note())));
      const columnFamily =
        random.below(10) === 0 ? random.below(9) : random.pick([this.#type === stream ? 5 : 0, 1, 2]);
      const key = this.#cut(columnFamily === 1 ? this.#metadataKey() : this.#internalKey());
      const isPut = random.below(4) > 0;
      if (isPut) this.#batch.put(columnFamily, key, this.#cut(this.#value(columnFamily)));
      else if (random.below(5) > 0) this.#batch.delete(columnFamily, key);
      else this.#batch.deleteRange(columnFamily, key, this.#metadataKey());
    }
    return Buffer.from(this.#batch.finish(sequence));
  }

  #chooseKey(): void {
    this.#namespace = this.#random.pick(namespaces);
    this.#key = this.#random.pick(keys);
    this.#version = this.#u64();
    this.#type = 1 + this.#random.below(valueTypes.length);
  }

  #note(): string {
    const random = this.#random;
    const words = [
      '',
      '0',
      '-1',
      '1e400',
      '99999999999',
      'k k left right',
      'set u8 #9 255',
      'XSETID',
      '13 1',
    ];
    return `${random.below(15)} ${random.below(60)} ${random.pick(words)}`;
  }

  #metadataKey(): Buffer {
    return Buffer.concat([this.#namespace, this.#key]);
  }

  #internalKey(): Buffer {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(this.#random.below(30) > 0 ? this.#key.length : 0xffff_ffff);
    return Buffer.concat([this.#namespace, length, this.#key, this.#version, this.#subKey()]);
  }

  #subKey(): Buffer {
    const random = this.#random;
    const delimiter = Buffer.alloc(8, 0xff);
    const groupKind = Buffer.of(random.below(5));
    switch (random.below(5)) {
      case 0:
        return Buffer.from(random.pick(numbers));
      case 1:
        return this.#u64();
      case 2:
        return Buffer.concat([this.#u64(), this.#u64()]);
      case 3:
        return Buffer.concat([delimiter, groupKind, this.#u64(), random.bytes(random.below(40))]);
      default:
        return random.bytes(random.below(40));
    }
  }

  #value(columnFamily: number): Buffer {
    const random = this.#random;
    if (columnFamily === 1) return this.#metadata();
    const lengths = [0, 2, 8, 24, 48, 768, 1024, 1025, random.below(100)];
    return random.below(4) > 0 ? random.bytes(random.pick(lengths)) : this.#u64();
  }

  #metadata(): Buffer {
    const random = this.#random;
    const type = random.below(4) > 0 ? this.#type : random.below(16);
    const flags = (random.below(10) > 0 ? 0x80 : 0) | type;
    const payload = [
      Buffer.of(random.below(3)),
      Buffer.concat([this.#u64(), this.#u64()]),
      Buffer.concat(Array.from({ length: 12 }, () => this.#u64())),
      random.bytes(random.below(100)),
    ];
    return Buffer.concat([
      Buffer.of(flags),
      random.below(2) > 0 ? Buffer.alloc(8) : this.#u64(),
      this.#version,
      this.#u64(),
      random.pick(payload),
    ]);
  }

  #u64(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(this.#random.pick(sizes));
    return bytes;
  }

  #cut(bytes: Buffer): Buffer {
    const random = this.#random;
    return random.below(12) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
  }
}

const stream = 8;
const namespaces = [Buffer.from('\x0b__namespace'), Buffer.from('\x02ns'), Buffer.of(0), Buffer.of(0xff, 1)];
const keys = [Buffer.from('k'), Buffer.from('other'), Buffer.alloc(0), Buffer.of(0xff, 0)];
const numbers = ['0', '1', '15', '16', '-1', '1.5', ' 3', '1e1', '1024', '01024', '9007199254740991', 'NaN'];
const sizes = [0, 1, 5, 1024, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53]
  .map(BigInt)
  .concat([(1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]);

describe('batches of well-formed records that hold what no Kvrocks writes', () => {
  it('are told in valid events and in commands, reported or refused by name', () => {
    const random = SeededRandom.fromEnvironment('strange records');
    const records = new StrangeRecords(random);
    const makeDecoders = (): Decoder[] => [new Decoder(), new Decoder({ hasSlots: true })];
    const encoders = [
      new CommandEncoder(),
      new CommandEncoder({ json: 'module', bitmap: 'native', hyperLogLog: 'native', sortedInt: 'native' }),
    ];
    const events = new EventEncoder({ connector: 'fuzz', name: 'fuzz' });
    const out = new ByteWriter();
    let decoders = makeDecoders();
    let sequence = 1;
    let changes = 0;
    for (let i = 0; i < batches; i++) {
      if (random.below(50) === 0) decoders = makeDecoders();
      const bytes = records.batch(sequence);
      sequence += bytes.readUInt32LE(8);
      for (const decoder of decoders)
        try {
          const transaction = decoder.decode(bytes);
          changes += transaction.changes.length;
          for (const encoder of encoders) {
            out.clear();
            encoder.append(out, transaction);
            expect(out.length).toBeLessThan(1024 * 1024);
          }
          out.clear();
          events.append(out, transaction);
          const lines = Buffer.from(out.take()).toString().split('\n').filter(Boolean);
          expect(lines.map(faultOfEvent).filter((fault) => fault !== undefined)).toEqual([]);
        } catch (error) {
          if (isTailraceError(error, 'BATCH_CORRUPT')) continue;
          throw new Error(`batch ${i}: ${bytes.toString('hex')}`, { cause: error });
        }
    }
    expect(changes).toBeGreaterThan(batches / 2);
  });
});
