import { describe, expect, it } from 'vitest';
import { commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { CommandTransaction } from '../../src/data-model/commands/command-transaction.js';
import { OverlayReader } from '../../src/data-model/commands/overlay-reader.js';
import type { DataIterator, DataRange } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { MemoryStore } from '../support/memory-store.js';
import { SeededRandom } from '../support/seeded-random.js';

const columnFamily = 1;

const randomKey = (random: SeededRandom): Buffer =>
  random.bytes(random.below(3)).map((byte) => byte & 0xc3) as Buffer;

const randomBatch = (random: SeededRandom): Buffer => {
  const batch = new WriteBatchBuilder();
  for (let i = 1 + random.below(random.pick([3, 60])); i > 0; i--) {
    const key = randomKey(random);
    const chance = random.below(20);
    if (chance < 12) batch.put(columnFamily, key, random.bytes(random.below(4)));
    else if (chance < 19) batch.delete(columnFamily, key);
    else batch.deleteRange(columnFamily, key, randomKey(random));
  }
  return Buffer.from(batch.finish());
};

/** Some steps of a walk, as text. */
const walked = (iterator: DataIterator, targets: readonly Buffer[]): string[] => {
  const seen: string[] = [];
  const note = (): void => {
    seen.push(
      iterator.valid ? `${iterator.item.key.toString('hex')}=${iterator.item.value.toString('hex')}` : 'end',
    );
  };
  for (const target of targets) {
    for (let i = 0; i < 5 && iterator.valid; i++, iterator.next()) note();
    iterator.seek(target);
    note();
  }
  for (; iterator.valid; iterator.next()) note();
  iterator.close();
  return seen;
};

describe('a store with what a transaction has written', () => {
  it('reads and walks as after the commit', () => {
    const random = SeededRandom.fromEnvironment('overlay');
    for (let round = 0; round < 150; round++) {
      const base = new MemoryStore();
      const after = new MemoryStore();
      const overlay = new OverlayReader(base);
      const before = randomBatch(random);
      base.commit(before);
      after.commit(before);
      for (let batches = random.below(6); batches > 0; batches--) {
        const batch = randomBatch(random);
        overlay.apply(batch);
        after.commit(batch);
        const key = randomKey(random);
        expect(overlay.get(columnFamily, key)).toEqual(after.get(columnFamily, key));
        const range: DataRange = {
          columnFamily,
          isReverse: random.below(2) === 0,
          ...(random.below(2) === 0 ? {} : { begin: randomKey(random) }),
          ...(random.below(2) === 0 ? {} : { end: randomKey(random) }),
        };
        const targets = Array.from({ length: random.below(3) }, () => randomKey(random));
        expect(walked(overlay.iterate(range), targets), JSON.stringify(range)).toEqual(
          walked(after.iterate(range), targets),
        );
      }
    }
  });

  it('is walked at a cost that what else the transaction wrote does not raise', () => {
    const transaction = new CommandTransaction(new MemoryStore(), commandServices());
    const run = (...words: (string | number)[]): unknown => {
      const command = dataCommands.get(String(words[0]));
      return command === undefined
        ? undefined
        : transaction.run(
            command,
            words.map((word) => Buffer.from(`${word}`)),
          );
    };
    const costOf = (calls: () => void): number => {
      const { user } = process.cpuUsage();
      calls();
      return process.cpuUsage().user - user;
    };
    const read = (): void => {
      for (let i = 0; i < 500; i++) run('hgetall', `h${i % 10}`);
    };
    for (let i = 0; i < 10; i++) run('hset', `h${i}`, 'f', 'v');
    read();
    const alone = costOf(read);
    for (let i = 0; i < 30_000; i++) run('zadd', 'z', i, `m${i}`);
    run('zrange', 'z', 0, 0);
    expect(costOf(read)).toBeLessThan(alone * 10 + 100_000);
  });
});
