import { expect, it } from 'vitest';
import { processSurroundings, readPipelines } from '../../config/index.js';
import { builtIn } from '../../src/cli/registry.js';
import { takeSnapshots } from '../../src/cli/run-snapshots.js';
import { pluginContext } from '../support/plugin-context.js';
import { ScriptedSink } from '../support/scripted-sink.js';

it('a pipeline that is told to stop before its snapshot does not wait for a target that answers nothing', async () => {
  const text = `name: p
source: { connector: kvrocks, url: "redis://127.0.0.1:1", snapshot: initial }
sinks: [{ sink: stdout }]
`;
  const [config] = readPipelines(text, 'p.yaml', builtIn, processSurroundings, []);
  const sink = Object.assign(new ScriptedSink(), { claim: () => new Promise<never>(() => undefined) });
  const retry = { initialMs: 1, maxMs: 1, giveUpAfterMs: 1_000 };
  const stop = new AbortController();
  const run = {
    config,
    sinks: [{ name: 's', sink }],
    offsets: undefined,
    retry,
    log: pluginContext('p').log,
    given: new Map(),
  };
  const taking = takeSnapshots(run, stop.signal);
  stop.abort(new Error('told to stop'));
  await expect(taking).rejects.toThrow('told to stop');
});
