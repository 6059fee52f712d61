import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { EngineSource } from '../../../connectors/engine/index.js';
import { FileSink } from '../../../sinks/file/index.js';
import { Engine } from '../../engine/index.js';
import { inaccessible } from '../../files/index.js';
import type { Sink } from '../../kit/index.js';
import { Pipeline } from '../../pipeline/index.js';
import { consoleLogger, formatCount, formatTable, type OutputOptions } from '../console.js';
import { ExitCode } from '../exit.js';
import { onInterrupt, untilInterrupted } from '../interrupt.js';
import { ShopWorkload } from '../shop-workload.js';
import { untilDelivered } from '../until-delivered.js';
import type { BenchFlags } from './bench-program.js';
import { type Measurement, measure } from './measurement.js';
import { RedisTarget } from './redis-target.js';
import { measureGroupedWrites, measureReads, measureSingleWrites } from './store-rates.js';

/**
 * Measures what this machine does: a store in a new directory is written to and read, then everything that it holds is
 * delivered by a pipeline. Cleans up, also when it is interrupted.
 */
export const benchCommand = async (flags: BenchFlags, output: OutputOptions): Promise<void> => {
  const interrupted = onInterrupt();
  const directory = makeDirectory(resolve(flags.dir ?? tmpdir()));
  try {
    const measured: Measurement[] = [];
    await untilInterrupted(interrupted, async () => {
      for await (const measurement of measurements(flags, directory, output, interrupted)) {
        if (measurement.count > 0) measured.push(measurement); // one that was cut short counts as far as it came
        if (interrupted.aborted) break;
      }
    });
    if (output.isJson) process.stdout.write(`${JSON.stringify(measured)}\n`);
    else if (measured.length > 0) process.stdout.write(`${tableOf(measured)}\n`);
    if (!interrupted.aborted) return;
    const others = measured.length === 0 ? 'nothing' : 'nothing beyond this';
    if (!output.isQuiet && !output.isJson) process.stderr.write(`interrupted: ${others} was measured\n`);
    process.exitCode = ExitCode.Interrupted;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

async function* measurements(
  flags: BenchFlags,
  directory: string,
  output: OutputOptions,
  signal: AbortSignal,
): AsyncGenerator<Measurement> {
  const log = consoleLogger({ ...output, logLevel: output.logLevel === 'info' ? 'warn' : output.logLevel });
  await using redis =
    flags.to === undefined
      ? undefined
      : new RedisTarget(flags.to, flags.password ?? process.env['TAILRACE_PASSWORD'] ?? '', log);
  await redis?.clear(signal); // before anything takes long: is it there?
  await using engine = await Engine.open(join(directory, 'store'));
  const workload = new ShopWorkload(engine, flags.seed);
  yield await measureSingleWrites(engine, workload, signal);
  yield await measureGroupedWrites(engine, workload, flags.changes, signal);
  yield await measureReads(engine, signal);

  const delivered = (what: string, sink: Sink): Promise<Measurement> =>
    measure(what, 'changes', async () => {
      const finished = new AbortController();
      await using source = new EngineSource(engine);
      await using owned = sink;
      const pipeline = new Pipeline({
        ...{ name: 'bench', source, sinks: [{ name: 'target', sink: owned }] },
        ...{ retry: { giveUpAfterMs }, log },
      });
      const running = pipeline.run(AbortSignal.any([signal, finished.signal]));
      running.catch(() => undefined); // reported where it is awaited
      await untilDelivered(pipeline, engine, signal);
      finished.abort();
      await running;
      return { count: pipeline.status().sinks[0].writtenChanges };
    });
  const path = join(directory, 'changes.ndjson');
  yield await delivered(
    'delivery to a file, synced',
    new FileSink({ path, source: 'bench', sync: true }, { pipeline: 'bench', log }),
  );
  if (redis !== undefined) yield await delivered(`delivery to ${redis.place}`, redis.makeSink());
}

const makeDirectory = (parent: string): string => {
  try {
    return mkdtempSync(join(parent, 'tailrace-measuring-'));
  } catch (cause) {
    throw inaccessible(parent, cause);
  }
};

const tableOf = (measured: readonly Measurement[]): string =>
  formatTable(
    ['WHAT', 'RATE', 'MEASURED', ''],
    measured.map(({ what, count, unit, seconds, perSecond, detail }) => [
      what,
      `${formatCount(perSecond)} ${unit}/s`,
      `${formatCount(count)} in ${seconds.toFixed(1)} s`,
      detail,
    ]),
  );

const giveUpAfterMs = 10_000;
