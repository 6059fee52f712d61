import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { replaceBytes } from '../../../src/engine/tree/page-checksum.js';
import { SeededRandom } from '../../support/seeded-random.js';

it('tells how the checksum changes with bytes anywhere in a page', () => {
  const random = SeededRandom.fromEnvironment('page checksum');
  const pages = random.bytes(3 * 4096);
  const page = pages.subarray(4096, 8192);
  let checksum = crc32(page.subarray(4));
  for (let round = 0; round < 2_000; round++) {
    const length = random.below(random.next() < 0.1 ? 4093 : 40);
    const at = 4 + random.below(4093 - length);
    const from = random.bytes(length + 5);
    const expected = Buffer.from(page);
    from.copy(expected, at, 3, 3 + length);
    const change = replaceBytes(pages, 4096 + at, 8192, from, 3, 3 + length);
    expect(page.equals(expected)).toBe(true);
    checksum = (checksum ^ change) >>> 0;
    expect(checksum, `round ${round}: ${length} bytes at ${at}`).toBe(crc32(page.subarray(4)));
  }
});
