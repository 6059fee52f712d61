import { Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';

// Writes numbers until it is killed, with flushes and checkpoints all the time. Write n has sequence number n. Prints
// each `n;` once a kill cannot undo it, `+n;` when a checkpoint at n is made, `-n;` before it is deleted. With `thread`,
// memtables are merged in a thread of its own however small they are.
const [path = '', where, sync] = process.argv.slice(2);
const engine = await Engine.open(path, {
  ...(where === 'thread' && { threadFromBytes: 0 }),
  sync: sync === 'none' ? 'none' : 'always',
  segmentBytes: 100_000,
  memtableBytes: 60_000,
  pageCacheBytes: 300_000,
});
const kept = engine.checkpoints.list().map(({ name }) => Number(name));
for (let round = 1; ; round++) {
  for (let i = 0; i < 20; i++) {
    const n = engine.sequence + 1;
    const value = Buffer.from(String(n).padEnd(n % 50 === 0 ? 6_000 : 40, 'v'));
    engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`k${n % 1000}`), value).finish());
  }
  await engine.whenDurable(engine.sequence);
  process.stdout.write(`${engine.sequence};\n`);
  if (round % 7 !== 0) continue;
  const { sequence } = await engine.checkpoints.create({ name: `${engine.sequence}` });
  process.stdout.write(`+${sequence};\n`);
  kept.push(sequence);
  const oldest = kept.length > 3 ? kept.shift() : undefined;
  if (oldest === undefined) continue;
  process.stdout.write(`-${oldest};\n`);
  await engine.checkpoints.delete(`name:${oldest}`);
}
