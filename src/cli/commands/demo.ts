import { createReadStream, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineSource } from '../../../connectors/engine/index.js';
import { FileSink } from '../../../sinks/file/index.js';
import { Engine } from '../../engine/index.js';
import { TailraceError } from '../../errors/index.js';
import { Pipeline, type PipelineStatus } from '../../pipeline/index.js';
import { calledAs } from '../called-as.js';
import { readCapturedBatches } from '../captured-batches.js';
import {
  consoleLogger,
  counted,
  formatBytes,
  formatCount,
  type OutputOptions,
  Progress,
} from '../console.js';
import { onInterrupt } from '../interrupt.js';
import type { DemoFlags } from '../program.js';
import { ShopWorkload } from '../shop-workload.js';
import { untilDelivered } from '../until-delivered.js';

/**
 * Shows the whole line at work: writes to an embedded store, its log, the pipeline, a file of change events. Writing
 * and delivering go on at the same time; then what was delivered is compared with what was written.
 */
export const demoCommand = async (flags: DemoFlags, output: OutputOptions): Promise<void> => {
  const directory = resolve(flags.dir ?? mkdtempSync(join(tmpdir(), 'tailrace-demo-')));
  const storePath = join(directory, 'store');
  const filePath = join(directory, 'changes.ndjson');
  const say = (line: string): void => {
    if (!output.isQuiet && !output.isJson) process.stdout.write(`${line}\n`);
  };
  const log = consoleLogger({ ...output, logLevel: output.logLevel === 'info' ? 'error' : output.logLevel });
  const interrupted = onInterrupt();
  const finished = new AbortController();

  await using engine = await Engine.open(storePath);
  if (engine.sequence > 0)
    throw new TailraceError('USAGE', `${storePath} already holds a store`, {
      remedy: 'Name another directory, or none.',
    });
  say(`an embedded store in ${storePath} (every write synced), tailed into ${filePath}`);
  const context = { pipeline: 'demo', log };
  await using sink = new FileSink({ path: filePath, source: 'demo', sync: true }, context);
  await using source = new EngineSource(engine);
  const pipeline = new Pipeline({
    name: 'demo',
    source,
    sinks: [{ name: 'file', sink }],
    errors: { undecodable: 'skip' },
    log,
  });
  const startedAt = performance.now();
  const delivering = pipeline.run(AbortSignal.any([interrupted, finished.signal]));
  delivering.catch(() => undefined); // reported where it is awaited

  const progress = new Progress(output, 1_000);
  const show = (): void =>
    progress.show(progressLine(engine, pipeline.status(), performance.now() - startedAt));
  const capturedBatches = await fill(engine, flags, interrupted, show);
  const writtenMs = performance.now() - startedAt;
  await untilDelivered(pipeline, engine, interrupted, show);
  finished.abort();
  await delivering;
  const elapsedMs = performance.now() - startedAt;
  const status = pipeline.status();
  progress.finish(progressLine(engine, status, elapsedMs));

  const checked = await checkFile(filePath);
  const sequence = status.sinks[0].position?.sequence ?? 0;
  const isRight =
    checked.events === status.changes &&
    checked.isOrdered &&
    (interrupted.aborted || sequence === engine.sequence);
  if (!isRight)
    throw new TailraceError(
      'INTERNAL',
      `the file holds ${checked.events} events up to ${sequence}, ${status.changes} up to ${engine.sequence} were written`,
      {
        remedy: 'This is a defect; please report it.',
      },
    );
  const facts: DemoFacts = {
    directory,
    events: checked.events,
    bytes: checked.bytes,
    undecodable: status.undecodableChanges,
    sequence,
    elapsedMs: Math.round(elapsedMs),
    changesPerSecond: Math.round((checked.events * 1000) / elapsedMs),
  };
  if (output.isJson) process.stdout.write(`${JSON.stringify(facts)}\n`);
  else
    for (const line of outcomeLines(facts, {
      engine,
      capturedBatches,
      seed: flags.seed,
      writtenMs,
      storePath,
      filePath,
    }))
      say(line);
};

/** Writes what was captured, then what is generated; returns how many batches were captured. */
const fill = async (
  engine: Engine,
  { changes, seed }: DemoFlags,
  interrupted: AbortSignal,
  show: () => void,
): Promise<number> => {
  const captured = await readCapturedBatches();
  for (const [at, batch] of captured.entries()) {
    engine.commit(batch);
    if (at % 500 === 499) await engine.whenDurable(engine.sequence);
  }
  const workload = new ShopWorkload(engine, seed);
  for (let written = 0; written < changes && !interrupted.aborted; ) {
    for (let i = 0; i < 500 && written < changes; i++) written += workload.writeOne();
    await engine.whenDurable(engine.sequence);
    show();
    await nextTurn();
  }
  return captured.length;
};

/** What `--json` tells. */
interface DemoFacts {
  readonly directory: string;
  readonly events: number;
  readonly bytes: number;
  readonly undecodable: number;
  readonly sequence: number;
  readonly elapsedMs: number;
  readonly changesPerSecond: number;
}

const outcomeLines = (
  { events, bytes, undecodable, changesPerSecond }: DemoFacts,
  written: {
    readonly engine: Engine;
    readonly capturedBatches: number;
    readonly seed: number;
    readonly writtenMs: number;
    readonly storePath: string;
    readonly filePath: string;
  },
): string[] => {
  const { engine, capturedBatches, seed, writtenMs, storePath, filePath } = written;
  return [
    '',
    `written    ${formatCount(engine.sequence)} sequence numbers in ${counted(capturedBatches, 'batch', 'batches')} captured from a real Kvrocks`,
    `           and a generated workload (seed ${seed}), in ${(writtenMs / 1000).toFixed(1)} s`,
    `delivered  ${formatCount(events)} change events (${formatBytes(bytes)}), each once and in order: checked`,
    ...(undecodable > 0
      ? [`skipped    ${counted(undecodable, 'change')} without a decoding, counted and logged`]
      : []),
    `rate       ${formatCount(changesPerSecond)} changes/s from the write to the synced file`,
    `files      ${filePath}`,
    `           ${storePath}`,
    '',
    `try next   head -3 ${filePath}`,
    `           ${calledAs()} wal ls ${storePath}`,
    `           ${calledAs()} serve --dir ${storePath}      and   redis-cli -p 6666 POLLUPDATES 0 MAX 2`,
  ];
};

const progressLine = (engine: Engine, status: PipelineStatus, elapsedMs: number): string => {
  const rate = Math.round((status.sinks[0].writtenChanges * 1000) / Math.max(1, elapsedMs));
  return `written ${formatCount(engine.sequence)}  delivered ${counted(status.sinks[0].writtenChanges, 'change')}  ${formatCount(rate)}/s  lag ${formatCount(Math.max(0, engine.durableSequence - (status.sinks[0].position?.sequence ?? 0)))}`;
};

/** Reads the file back: how many events, and whether each stands behind the one before. */
const checkFile = async (path: string): Promise<{ events: number; bytes: number; isOrdered: boolean }> => {
  let events = 0;
  let bytes = 0;
  let isOrdered = true;
  let before = { first: 0, index: -1 };
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    const event = JSON.parse(line) as { index: number; tx: { first: number } };
    const { first } = event.tx;
    if (first < before.first || (first === before.first && event.index <= before.index)) isOrdered = false;
    before = { first, index: event.index };
    events++;
    bytes += Buffer.byteLength(line) + 1;
  }
  return { events, bytes, isOrdered };
};
