import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EngineSource } from '../../connectors/engine/index.js';
import { KafkaSink } from '../../sinks/kafka/kafka-sink.js';
import { Engine } from '../../src/engine/index.js';
import { parseEvent } from '../../src/kit/index.js';
import { Pipeline } from '../../src/pipeline/index.js';
import { startKafkaCluster, throwAwayDirectory } from '../services/index.js';
import { CommandRunner } from '../support/command-runner.js';
import { kafkaOptions } from '../support/kafka-options.js';
import { KafkaReader } from '../support/kafka-reader.js';
import { pluginContext } from '../support/plugin-context.js';
import { waitUntil } from '../support/wait-until.js';

/** How often a broker of three is killed, one after the other. */
const kills = Number(process.env['BROKER_KILLS'] ?? 1);

it(`every change is in Kafka once, in order, when leaders and coordinators were killed ${kills} times`, {
  timeout: 600_000 + kills * 200_000,
}, async () => {
  const kafka = await startKafkaCluster();
  const directory = throwAwayDirectory('kafka-cluster-store');
  const engine = await Engine.open(directory.path, { sync: 'none' });
  const commands = new CommandRunner(engine);
  const context = pluginContext('brokers');
  const options = kafkaOptions({ brokers: kafka.brokers, topic: 'brokers', requestTimeout: 5_000 });
  const sink = new KafkaSink(options, context);
  const pipeline = new Pipeline({
    name: 'brokers',
    source: new EngineSource(engine),
    sinks: [{ name: 'kafka', sink }],
    retry: { maxMs: 500 },
    log: context.log,
  });
  const stop = new AbortController();
  const done = pipeline.run(stop.signal);
  let written = 0;
  let isWriting = true;
  const writing = (async () => {
    while (isWriting) {
      for (let i = 0; i < 20; i++) commands.run('SET', `key ${written % 500}`, written++);
      await delay(5);
    }
  })();
  const position = (): number => pipeline.status().sinks[0]?.position?.sequence ?? 0;
  const moves = async (): Promise<void> => {
    const target = engine.sequence;
    await waitUntil('the sink goes on', () => position() > target);
  };
  try {
    await moves();
    for (let kill = 0; kill < kills; kill++) {
      // The first is the controller: without it there is no new leader for anything.
      const victim = 1 + (kill % 2);
      await kafka.kill(victim);
      await moves();
      await kafka.restart(victim);
      await moves();
    }
    isWriting = false;
    await writing;
    await waitUntil('the sink has everything', () => position() === engine.sequence);
    stop.abort();
    await done;
    const reader = await KafkaReader.open(kafka.brokers);
    const records = await reader.read('brokers');
    reader.close();
    const lastOf = new Map<number, number>();
    const seen = new Set<number>();
    for (const { partition, value } of records) {
      const { seq } = parseEvent(value?.toString() ?? '').change;
      expect(seq).toBeGreaterThan(lastOf.get(partition) ?? 0);
      lastOf.set(partition, seq);
      seen.add(seq);
    }
    expect([records.length, seen.size]).toEqual([written, written]);
    expect(lastOf.size).toBe(6);
  } finally {
    isWriting = false;
    stop.abort();
    await done.catch(() => undefined); // what failed first is what counts
    await sink[Symbol.asyncDispose]();
    await engine.close();
    directory.remove();
    await kafka.stop();
  }
});
