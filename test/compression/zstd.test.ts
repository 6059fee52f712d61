import { describe, expect, it } from 'vitest';
import { decompressZstd } from '../../src/compression/index.js';

// What the tool `zstd` made of the same text: with its length, with a checksum too, as a stream of unknown length, with a
// dictionary.
const text = '{"id":1,"name":"ada"},{"id":2,"name":"grace"},{"id":3,"name":"edsger"},'.repeat(8);
const body = 'rQEAYsIID9Dnh6dVImeShJhqwxYyaZWax3MXH04MlepzrS82LWA9UhQFAO5KUAf03VkUFCaHKQY=';
const sized = Buffer.from(
  'KLUv/WA4Aa0BAGLCCA/Q54enVSJnkoSYasMWMmmVmsdzFx9ODJXqc60vNi1gPVIUBQDuSlAH9N1ZFBQmhykG',
  'base64',
);
const checked = Buffer.from(
  'KLUv/WQ4Aa0BAGLCCA/Q54enVSJnkoSYasMWMmmVmsdzFx9ODJXqc60vNi1gPVIUBQDuSlAH9N1ZFBQmhykGpiXgEA==',
  'base64',
);
const streamed = Buffer.concat([Buffer.from('28b52ffd0068', 'hex'), Buffer.from(body, 'base64')]);
const ofDictionary = Buffer.from('KLUv/QdoNC/WaHUAABB7IgLM7koEAITiHuQEpiXgEA==', 'base64');

/** A frame of blocks that repeat one byte, of 128 KiB each; its header says nothing of its length, or lies. */
const repeated = (blocks: number, header = '28b52ffd0068'): Buffer => {
  const block = Buffer.of(0x02, 0, 0x10, 0x61);
  const last = Buffer.of(0x03, 0, 0x10, 0x61);
  return Buffer.concat([Buffer.from(header, 'hex'), Buffer.alloc(4 * (blocks - 1), block), last]);
};

describe('decompressing Zstandard', () => {
  it('reads frames with and without their length and checksum', () => {
    for (const frame of [sized, checked, streamed]) expect(decompressZstd(frame, 1024).toString()).toBe(text);
  });

  it('reads one frame behind the other, and passes over what is to be skipped', () => {
    const skippable = Buffer.from('5a2a4d1803000000ffffff', 'hex');
    const all = Buffer.concat([skippable, checked, streamed, skippable, sized]);
    expect(decompressZstd(all, 2048).toString()).toBe(text.repeat(3));
    expect(decompressZstd(Buffer.alloc(0), 10)).toHaveLength(0);
    expect(decompressZstd(all, 2 * text.length)).toMatch(/more than \d+ bytes/);
  });

  it('refuses what is larger than allowed before it takes memory for it', () => {
    const limit = 16 * 1024 * 1024;
    const before = process.memoryUsage().arrayBuffers;
    expect(decompressZstd(repeated(10_000), limit)).toBeTypeOf('string');
    // 1 GiB, of which two blocks can hold nothing like it; and the largest number there is.
    expect(decompressZstd(repeated(2, '28b52ffda000000040'), 2 ** 31)).toContain('cannot hold');
    expect(decompressZstd(repeated(2, `28b52ffde0${'ff'.repeat(8)}`), limit)).toBeTypeOf('string');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * limit);
    expect(decompressZstd(repeated(10), limit)).toHaveLength(10 * 128 * 1024);
  });

  it('says why bytes are no frame, or one that cannot be read', () => {
    expect(decompressZstd(ofDictionary, 1024)).toContain('dictionary');
    expect(decompressZstd(Buffer.from('no frame at all'), 1024)).toContain('no Zstandard frame');
    for (let length = 1; length < checked.length; length++)
      expect(decompressZstd(checked.subarray(0, length), 1024)).toBeTypeOf('string');
  });

  it('ends with an answer of bounded size for every damaged byte', () => {
    for (const frame of [sized, streamed])
      for (let at = 0; at < frame.length; at++)
        for (let bit = 0; bit < 8; bit++) {
          const damaged = Buffer.from(frame);
          damaged[at] ^= 1 << bit;
          const found = decompressZstd(damaged, 1024);
          if (typeof found !== 'string') expect(found.length).toBeLessThanOrEqual(1024);
        }
  });
});
