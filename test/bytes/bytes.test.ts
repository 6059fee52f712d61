import { describe, expect, it } from 'vitest';
import {
  compareBytes,
  crc32c,
  crc32cOfView,
  maskCrc,
  matchesGlob,
  orderedDoubleBytes,
  prefixSuccessor,
  readOrderedDouble,
  readU64,
  readVarint32,
  unmaskCrc,
  writeOrderedDouble,
  writeU64,
  writeVarint32,
  xxh3,
} from '../../src/bytes/index.js';
import { fc } from '../support/fast-check.js';

const glob = (pattern: string, subject: string): boolean =>
  matchesGlob(Buffer.from(pattern), Buffer.from(subject));

describe('crc32c', () => {
  it('gives the check value of the Castagnoli polynomial', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('goes on from a seed as if the bytes stood together, and unmasks what it masks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        const whole = crc32c(bytes);
        expect(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut))).toBe(whole);
        expect(unmaskCrc(maskCrc(whole))).toBe(whole);
      }),
    );
  });

  it('gives the same for many bytes at once as for one after the other, wherever they lie', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(40), fc.nat(40), (bytes, skipped, left) => {
        const start = Math.min(skipped, bytes.length);
        const end = Math.max(start, bytes.length - left);
        let expected = 7;
        for (let i = start; i < end; i++) expected = crc32c(bytes, i, i + 1, expected);
        expect(crc32c(bytes, start, end, 7)).toBe(expected);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        expect(crc32cOfView(view, start, end, 7)).toBe(expected);
      }),
    );
  });
});

describe('xxh3', () => {
  it.each([
    [0, '2d06800538d394c2'],
    [1, 'c44bdff4074eecdb'],
    [3, '5f4299fc161c9cbb'],
    [5, 'b075753a84ca0fbe'],
    [8, '3a1c2d7c85af88f8'],
    [12, '5ace6a511c10894b'],
    [16, '8355e3a6f61770db'],
    [17, '9ef341a99de37328'],
    [40, 'cdb099831361923c'],
    [128, '85c6174c7ff4c46b'],
    [129, 'ec7642b431ba3e5a'],
    [200, 'f42a8864feaf0703'],
    [240, '375a384d957fe865'],
    [241, '02e8cd95421c6d02'],
    [300, 'd44052f5a3485425'],
    [1024, 'a870f92984398d22'],
    [2000, '26af7994e0e20830'],
  ] as const)('of %i bytes is what the library of its author gives', (length, hash) => {
    const bytes = Buffer.from(Array.from({ length }, (_, at) => at & 0xff));
    expect(xxh3(bytes).toString(16).padStart(16, '0')).toBe(hash);
    expect(xxh3(Buffer.concat([Buffer.of(1), bytes, Buffer.of(2)]), 1, 1 + length)).toBe(xxh3(bytes));
  });
});

describe('varint32', () => {
  it('reads back what it wrote, in as few bytes as hold it', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (value) => {
        const bytes = Buffer.alloc(8);
        const end = writeVarint32(bytes, 0, value);
        expect(end).toBe(Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7)));
        const cursor = { bytes, offset: 0, end };
        expect(readVarint32(cursor)).toBe(value);
        expect(cursor.offset).toBe(end);
      }),
    );
  });

  it('refuses bytes that end too soon or hold more than 32 bits', () => {
    const read = (...bytes: number[]): number =>
      readVarint32({ bytes: Buffer.from(bytes), offset: 0, end: bytes.length });
    expect(read(0x80)).toBe(-1);
    expect(read(0xff, 0xff, 0xff, 0xff, 0x1f)).toBe(-1);
    expect(read(0xff, 0xff, 0xff, 0xff, 0xff, 0x01)).toBe(-1);
    expect(read(0xff, 0xff, 0xff, 0xff, 0x0f)).toBe(0xffffffff);
  });
});

describe('little-endian u64', () => {
  it('round-trips up to 2^53 - 1 and tells larger numbers apart', () => {
    const bytes = Buffer.alloc(8);
    for (const value of [0, 1, 0xffffffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]) {
      writeU64(bytes, 0, value);
      expect(readU64(bytes, 0)).toBe(value);
    }
    expect(readU64(Buffer.alloc(8, 0xff), 0)).toBeNaN();
  });
});

describe('ordered doubles', () => {
  it('sort as numbers do and read back exactly', () => {
    const encode = (value: number): Buffer => {
      const bytes = Buffer.alloc(orderedDoubleBytes);
      writeOrderedDouble(bytes, 0, value);
      return bytes;
    };
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        expect(readOrderedDouble(encode(a), 0)).toBe(a);
        if (a < b) expect(compareBytes(encode(a), encode(b))).toBeLessThan(0);
      }),
    );
    expect(encode(3).toString('hex')).toBe('c008000000000000');
    expect(encode(Number.NEGATIVE_INFINITY).toString('hex')).toBe('000fffffffffffff');
  });
});

describe('prefix successor', () => {
  it('is the smallest string behind all that start with the prefix', () => {
    expect(prefixSuccessor(Buffer.from([1, 0xff, 0xff]))).toEqual(Buffer.from([2]));
    expect(prefixSuccessor(Buffer.from('ab'))).toEqual(Buffer.from('ac'));
    expect(prefixSuccessor(Buffer.from([0xff]))).toBeUndefined();
    expect(prefixSuccessor(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('globs', () => {
  it('match as Redis matches them', () => {
    for (const [pattern, subject, expected] of [
      ['*', '', true],
      ['order:*', 'order:1', true],
      ['order:*', 'orders', false],
      ['h?llo', 'hello', true],
      ['h[ae]llo', 'hallo', true],
      ['h[^e]llo', 'hello', false],
      ['h[a-c]llo', 'hbllo', true],
      ['h[c-a]llo', 'hbllo', true],
      ['a\\*c', 'a*c', true],
      ['a\\*c', 'abc', false],
      ['*a*b*c', 'xxaxxbxxc', true],
      ['', '', true],
      ['', 'a', false],
      ['[', '[', false],
      ['a[]b', 'ab', false],
    ] as const)
      expect([pattern, subject, glob(pattern, subject)]).toEqual([pattern, subject, expected]);
  });

  it('take time in proportion to pattern and subject, whatever the stars', () => {
    const steps = performance.now();
    expect(glob('*a'.repeat(50), `${'a'.repeat(200_000)}b`)).toBe(false);
    expect(performance.now() - steps).toBeLessThan(10_000);
  });
});
