import { Engine } from '../../src/engine/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';

// Writes numbers until the system takes no more, with flushes and checkpoints. Prints the last number that was
// acknowledged, and the code of the error that ended it.
const [path = '', segmentBytes = '0', last = '0', where] = process.argv.slice(2);
let acknowledged = 0;
let code: string | undefined;
try {
  const engine = await Engine.open(path, {
    ...(where === 'thread' && { threadFromBytes: 0 }),
    segmentBytes: Number(segmentBytes),
    memtableBytes: 60_000,
    pageCacheBytes: 300_000,
  });
  try {
    while (acknowledged < Number(last)) {
      for (let i = 0; i < 20; i++) {
        const n = engine.sequence + 1;
        const value = Buffer.from(String(n).padEnd(n % 50 === 0 ? 6_000 : 400, 'v'));
        engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`k${n}`), value).finish());
      }
      await engine.whenDurable(engine.sequence);
      acknowledged = engine.sequence;
      if (acknowledged % 400 === 0)
        await engine.checkpoints.create({ name: 'kept', ifNameExists: 'replace' });
    }
  } finally {
    await engine.close();
  }
} catch (error) {
  code = isTailraceError(error) ? error.code : String(error);
}
process.stdout.write(`${JSON.stringify({ acknowledged, code })}\n`);
