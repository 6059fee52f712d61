import { Engine } from '../../../src/engine/index.js';
import { WriteBatchBuilder } from '../../../src/write-batch/index.js';

// Opens a store that merges in a thread of its own, writes, and ends in one of several ways: `idle` with the store
// open and nothing to do, `busy` by process.exit in the middle of a merge, `closed` with all closed.
const [path = '', how = ''] = process.argv.slice(2);
const engine = await Engine.open(path, { memtableBytes: 1 << 20, threadFromBytes: 0 });
const fill = (from: number, to: number): void => {
  for (let n = from; n < to; n++)
    engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`k${n}`), Buffer.alloc(100, 'v')).finish());
};
fill(0, 5_000);
await engine.flush();
fill(5_000, 8_000);
await engine.whenDurable(engine.sequence);
if (how === 'busy') process.exit(7);
if (how === 'idle') await engine.flush();
if (how === 'closed') await engine.close();
process.stdout.write(`${engine.sequence}\n`);
