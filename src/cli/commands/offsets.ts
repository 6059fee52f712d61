import { readFileSync } from 'node:fs';
import process from 'node:process';
import { requirePipelines } from '../../../config/index.js';
import { TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import type { Logger, Position } from '../../kit/index.js';
import type { OffsetsStore, StoredOffset } from '../../pipeline/index.js';
import { consoleLogger, formatTable, type OutputOptions } from '../console.js';
import { registryFor } from '../load-plugins.js';
import { type OffsetsPlace, openOffsets } from '../open-offsets.js';
import { makeSink } from '../run-pipelines.js';

/** Which store a command works on: that of a pipeline file, or one described by flags. */
export interface OffsetsFlags {
  readonly config?: readonly string[];
  readonly store: OffsetsPlace['store'];
  readonly path: string;
  readonly url?: string;
  readonly name: string;
}

/** Lists the stored positions, and of the sinks in a pipeline file that hold their own what these say. */
export const showOffsets = async (flags: OffsetsFlags, output: OutputOptions): Promise<void> => {
  const offsets = await withStore(flags, (store) => store.list());
  const held = await heldBySinks(flags, consoleLogger(output));
  if (output.isJson) {
    process.stdout.write(`${JSON.stringify([...offsets, ...held])}\n`);
    return;
  }
  const rows = offsets.map(({ pipeline, sink, position, storedAtMs }) => [
    pipeline,
    sink,
    formatPosition(position),
    new Date(storedAtMs).toISOString(),
  ]);
  rows.push(...held.map(({ pipeline, sink, inSink }) => [pipeline, sink, inSink, 'in the sink']));
  process.stdout.write(
    rows.length === 0
      ? 'no positions stored\n'
      : `${formatTable(['PIPELINE', 'SINK', 'POSITION', 'STORED'], rows)}\n`,
  );
};

interface HeldBySink {
  readonly pipeline: string;
  readonly sink: string;
  /** What the sink says of its position. */
  readonly inSink: string;
}

/** Asked without claiming anything: whoever runs the pipeline is not disturbed. */
const heldBySinks = async (flags: OffsetsFlags, log: Logger): Promise<HeldBySink[]> => {
  if (flags.config === undefined || flags.config.length === 0) return [];
  const held: HeldBySink[] = [];
  const { signal } = new AbortController();
  for (const { name: pipeline, sinks } of requirePipelines(flags.config, await registryFor(flags.config)))
    for (const chosen of sinks) {
      const { name } = chosen;
      await using sink = await makeSink(chosen, { pipeline, sink: name, log });
      if (!sink.holdsPosition) continue;
      const findings = (await sink.check?.(signal)) ?? [];
      const telling =
        findings.find((finding) => finding.name === 'position') ??
        findings.find(({ status }) => status === 'fail');
      held.push({ pipeline, sink: name, inSink: telling?.detail ?? 'held by the sink' });
    }
  return held;
};

/** All positions as JSON lines, which `offsets set --from` reads. */
export const exportOffsets = async (flags: OffsetsFlags): Promise<void> => {
  for (const offset of await withStore(flags, (store) => store.list()))
    process.stdout.write(`${JSON.stringify(offset)}\n`);
};

/** Stores a position, or all of an export. */
export const setOffsets = async (
  flags: OffsetsFlags,
  wanted: { pipeline?: string; sink?: string; position?: string; from?: string },
  output: OutputOptions,
): Promise<void> => {
  const offsets = wanted.from === undefined ? [namedOffset(wanted)] : readExport(wanted.from);
  if (wanted.from === undefined) await requireReader(flags, offsets[0], consoleLogger(output));
  const before = await withStore(flags, async (store) => {
    const known: (Position | null)[] = [];
    for (const { pipeline, sink, position } of offsets)
      await whileOwned(store, pipeline, async () => {
        known.push(await store.load(pipeline, sink));
        await store.save(pipeline, sink, position);
      });
    return known;
  });
  if (output.isJson) process.stdout.write(`${JSON.stringify({ set: offsets })}\n`);
  else
    for (const [at, { pipeline, sink, position }] of offsets.entries())
      process.stdout.write(
        `set ${pipeline} ${sink} to ${formatPosition(position)} (was ${formatPosition(before[at])})\n`,
      );
};

/** Forgets positions, and says which. */
export const resetOffsets = async (
  flags: OffsetsFlags,
  pipeline: string,
  sink: string | undefined,
  output: OutputOptions,
): Promise<void> => {
  const doomed = await withStore(flags, (store) =>
    whileOwned(store, pipeline, async () => {
      const all = await store.list(pipeline);
      await store.reset(pipeline, sink);
      return all.filter((offset) => sink === undefined || offset.sink === sink);
    }),
  );
  if (doomed.length === 0)
    throw new TailraceError(
      'USAGE',
      `there is no position of ${sink === undefined ? pipeline : `${pipeline} ${sink}`}`,
      { remedy: 'tailrace offsets show lists what there is.' },
    );
  if (output.isJson) process.stdout.write(`${JSON.stringify({ reset: doomed })}\n`);
  else
    for (const offset of doomed)
      process.stdout.write(
        `forgot ${offset.pipeline} ${offset.sink} at ${formatPosition(offset.position)}\n`,
      );
};

const withStore = async <Result>(
  flags: OffsetsFlags,
  work: (store: OffsetsStore) => Promise<Result>,
): Promise<Result> => {
  await using store = openOffsets(await placeOf(flags));
  return await work(store);
};

const placeOf = async ({ config = [], store, path, url = '', name }: OffsetsFlags): Promise<OffsetsPlace> => {
  const [first, ...others] = requirePipelines(config, await registryFor(config)).map(
    ({ offsets }) => offsets,
  );
  if (first === undefined) return { store, path, url, name, lease: defaultLeaseMs };
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(first)))
    throw new TailraceError('USAGE', 'these pipelines keep their positions in different places', {
      remedy: 'Name one file at a time.',
    });
  return first;
};

/** Nobody may run the pipeline meanwhile: it would overwrite what is set. */
const whileOwned = async <Result>(
  store: OffsetsStore,
  pipeline: string,
  work: () => Promise<Result>,
): Promise<Result> => {
  const lease = await store.own(pipeline, new AbortController().signal);
  try {
    return await work();
  } finally {
    await lease.release();
  }
};

const namedOffset = ({
  pipeline,
  sink,
  position,
}: {
  pipeline?: string;
  sink?: string;
  position?: string;
}): StoredOffset => {
  if (pipeline === undefined || sink === undefined || position === undefined)
    throw new TailraceError('USAGE', 'name a pipeline, a sink and a position, or --from a file', {
      remedy: 'A position is sequence:count:crc, as `tailrace offsets show` prints it.',
    });
  return { pipeline, sink, position: parsePosition(position), storedAtMs: Date.now() };
};

/** With a pipeline file, refuses a position that no sink of it would ever read. */
const requireReader = async (
  { config = [] }: OffsetsFlags,
  { pipeline, sink }: StoredOffset,
  log: Logger,
): Promise<void> => {
  if (config.length === 0) return;
  const pipelines = requirePipelines(config, await registryFor(config));
  const sinks = pipelines.find(({ name }) => name === pipeline)?.sinks;
  if (sinks === undefined) throw unknownName('pipeline', pipeline, pipelines);
  const part = sinks.find(({ name }) => name === sink);
  if (part === undefined) throw unknownName(`sink of ${pipeline}`, sink, sinks);
  await using made = await makeSink(part, { pipeline, sink, log });
  if (made.holdsPosition)
    throw new TailraceError('USAGE', `the sink ${sink} of ${pipeline} holds its position itself`, {
      remedy: 'Its position goes with its data, and can only be changed at the target: see docs/sinks.md.',
    });
};

const unknownName = (
  what: string,
  name: string,
  known: readonly { readonly name: string }[],
): TailraceError =>
  new TailraceError('USAGE', `there is no ${what} named ${name}`, {
    remedy: `There are: ${known.map((one) => one.name).join(', ')}.`,
  });

const readExport = (file: string): StoredOffset[] => {
  const lines = readLines(file);
  return lines.flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      const { pipeline, sink, position } = JSON.parse(line) as StoredOffset;
      if (typeof pipeline !== 'string' || typeof sink !== 'string') throw new Error('it names no sink');
      return [{ pipeline, sink, position: parsePosition(formatPosition(position)), storedAtMs: Date.now() }];
    } catch (cause) {
      throw new TailraceError('USAGE', `${file}:${at + 1}: this is no position`, {
        remedy: 'Use what `tailrace offsets export` wrote.',
        cause,
      });
    }
  });
};

const readLines = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (cause) {
    throw inaccessible(file, cause);
  }
};

/** sequence:count:crc, the crc in hexadecimal. */
const formatPosition = (position: Position | null): string =>
  position === null
    ? 'none'
    : `${position.sequence}:${position.count}:${position.crc.toString(16).padStart(8, '0')}`;

const parsePosition = (text: string): Position => {
  const [, sequence, count, crc] = /^(\d+):(\d+):([0-9a-f]{1,8})$/i.exec(text) ?? [];
  const position = { sequence: Number(sequence), count: Number(count), crc: Number.parseInt(crc, 16) };
  if (Number.isSafeInteger(position.sequence) && position.count > 0 && position.count <= position.sequence)
    return position;
  throw new TailraceError('USAGE', `${text} is no position`, {
    remedy: 'Write sequence:count:crc, as `tailrace offsets show` prints it.',
  });
};

const defaultLeaseMs = 10_000;
