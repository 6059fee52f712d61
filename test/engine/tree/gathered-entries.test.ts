import { expect, it } from 'vitest';
import { EntryView } from '../../../src/engine/tree/entry-view.js';
import { GatheredEntries } from '../../../src/engine/tree/gathered-entries.js';
import { countOf, pageBytes, sealPage } from '../../../src/engine/tree/page.js';
import { keyOf } from '../../../src/engine/tree/tree-key.js';
import { SeededRandom } from '../../support/seeded-random.js';

it('gives pages what was added, however much gathers between them', () => {
  const random = SeededRandom.fromEnvironment('gathered entries');
  const prefix = random.bytes(500);
  const entries = new GatheredEntries();
  const model: { key: Buffer; tail: Buffer | undefined; value: Buffer }[] = [];
  const page = Buffer.alloc(3 * pageBytes);
  const entry = new EntryView();
  let next = 0;
  let pages = 0;
  while (pages < 300) {
    for (let more = random.below(pages % 50 === 0 ? 2_000 : 40); more > 0; more--) {
      const number = Buffer.alloc(4);
      next += 1 + random.below(5);
      number.writeUInt32BE(next);
      // Now and then few bytes in common, which makes a page's prefix short.
      const key = Buffer.concat([prefix.subarray(0, random.next() < 0.001 ? 3 : 500), number]);
      const tail = random.next() < 0.05 ? random.bytes(12) : undefined;
      const value = random.bytes(random.below(random.next() < 0.1 ? 200 : 6));
      const around = Buffer.concat([key, value]); // as packed changes have them
      if (random.next() < 0.5)
        entries.add(around, 0, key.length, tail, value.length * 2, around, key.length, around.length);
      else entries.add(key, 0, key.length, tail, value.length * 2, value, 0, value.length);
      model.push({ key, tail, value });
    }
    expect(entries.count).toBe(model.length);
    if (entries.count === 0) continue;
    const { count, prefixLength } = entries.fitting(pageBytes - 20);
    const end = entries.putInto(page, pageBytes, count, prefixLength);
    sealPage(page, pageBytes, { unit: 2, epoch: 1, level: 0, count, prefixLength, end: end - pageBytes });
    expect(countOf(page, pageBytes)).toBe(count);
    for (const [i, { key, tail, value }] of model.splice(0, count).entries()) {
      entry.readLeaf(page, pageBytes, i);
      const found = keyOf(page, pageBytes, entry);
      const isSame =
        found.inline.equals(key) &&
        (found.tail === undefined ? !tail : tail?.equals(found.tail)) &&
        value.equals(page.subarray(entry.valueAt, entry.valueAt + entry.valueLength));
      expect(isSame, `entry ${i} of page ${pages}`).toBe(true);
    }
    entries.drop(count);
    const [first] = model;
    if (first !== undefined) expect(entries.keyAt(0).inline.equals(first.key)).toBe(true);
    pages++;
  }
});
