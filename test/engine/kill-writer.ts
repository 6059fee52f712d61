import { Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';

// Writes numbers until it is killed, and prints each once it is durable. Write n has sequence number n.
const engine = await Engine.open(process.argv[2], { segmentBytes: 100_000 });
for (;;) {
  for (let i = 0; i < 20; i++) {
    const n = engine.sequence + 1;
    engine.commit(new WriteBatchBuilder().put(0, Buffer.from(`k${n % 1000}`), Buffer.from(`${n}`)).finish());
  }
  await engine.whenDurable(engine.sequence);
  process.stdout.write(`${engine.sequence};\n`);
}
