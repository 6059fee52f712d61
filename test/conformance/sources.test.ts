import { EngineSource } from '../../connectors/engine/index.js';
import { KvrocksSource } from '../../connectors/kvrocks/index.js';
import { WalSource } from '../../connectors/wal/index.js';
import { Engine } from '../../src/engine/index.js';
import { sourceConformance } from '../../src/kit/conformance/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

const context = pluginContext('conformance');
let directory: ReturnType<typeof throwAwayDirectory>;
let engine: Engine;
let server: Server | undefined;

/** A store of ours, which each of the three sources reads in its own way. */
const store = {
  prepare: async (): Promise<void> => {
    directory = throwAwayDirectory('source');
    engine = await Engine.open(directory.path, { sync: 'none', segmentBytes: 20_000 });
  },
  write: async (batch: Buffer): Promise<void> => {
    await engine.write(batch);
  },
  clean: async (): Promise<void> => {
    await server?.close();
    server = undefined;
    await engine.close();
    directory.remove();
  },
};

sourceConformance('engine', { ...store, open: () => new EngineSource(engine, { idleMs: 50 }) });

sourceConformance('wal', {
  ...store,
  open: () => new WalSource({ path: directory.path, follow: true, pollMs: 5 }),
});

sourceConformance('kvrocks', {
  ...store,
  open: async () => {
    server ??= await Server.listen(engine, { port: 0 });
    const url = `redis://127.0.0.1:${server.port}`;
    return new KvrocksSource(
      { url, password: '', pollBatches: 1000, idlePollMs: 10, giveUpAfterMs: 5_000, answerTimeoutMs: 60_000 },
      context,
    );
  },
});
