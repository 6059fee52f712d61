import { setTimeout as delay } from 'node:timers/promises';
import { EngineSource } from '../connectors/engine/index.js';
import { Engine } from '../src/engine/index.js';
import type { Sink } from '../src/kit/index.js';
import { Pipeline } from '../src/pipeline/index.js';
import { CommandRunner } from '../test/support/command-runner.js';
import { pluginContext } from '../test/support/plugin-context.js';

/** A store whose log has `count` SETs, each a batch of its own, as a server would write them. */
export const fillStore = async (
  directory: string,
  count: number,
  keyOf: (i: number) => string,
  value: Uint8Array,
): Promise<Engine> => {
  const engine = await Engine.open(directory, { sync: 'none' });
  const commands = new CommandRunner(engine);
  for (let i = 0; i < count; i++) {
    commands.run('SET', keyOf(i), value);
    if (i % 10_000 === 0) await commands.settled();
  }
  await commands.settled();
  return engine;
};

/** From the log through decoding to the target, until the target holds the last position. */
export const deliver = async (engine: Engine, sink: Sink): Promise<void> => {
  const stop = new AbortController();
  const pipeline = new Pipeline({
    name: 'bench',
    source: new EngineSource(engine),
    sinks: [{ name: 'sink', sink }],
    log: pluginContext('bench').log,
  });
  const done = pipeline.run(stop.signal);
  const isDelivered = (): boolean => pipeline.status().sinks[0]?.position?.sequence === engine.sequence;
  while (!isDelivered()) await delay(1);
  stop.abort();
  await done;
};
