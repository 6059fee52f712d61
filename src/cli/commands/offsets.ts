import { readFileSync } from 'node:fs';
import process from 'node:process';
import type { PipelineConfig } from '../../../config/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import type { Position } from '../../kit/index.js';
import type { OffsetsStore, StoredOffset } from '../../pipeline/index.js';
import { consoleLogger, formatTable, type OutputOptions } from '../console.js';
import { lookAtHolders, pipelinesOf, setHeldPosition } from '../held-positions.js';
import { describeOffsets, type OffsetsPlace, openOffsets } from '../open-offsets.js';

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
  const held: { pipeline: string; sink: string; position: Position | null; error?: string }[] = [];
  await lookAtHolders(
    await pipelinesOf(flags.config),
    consoleLogger(output),
    async (pipeline, sink, read) => {
      try {
        held.push({ pipeline, sink, position: await read() });
      } catch (error) {
        if (!isTailraceError(error)) throw error;
        held.push({ pipeline, sink, position: null, error: error.message });
      }
    },
  );
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
  for (const { pipeline, sink, position, error } of held)
    rows.push([pipeline, sink, error ?? formatPosition(position), 'in the sink']);
  process.stdout.write(
    rows.length === 0
      ? `no positions in ${describeOffsets(await placeOf(flags))}\n`
      : `${formatTable(['PIPELINE', 'SINK', 'POSITION', 'STORED'], rows)}\n`,
  );
};

/** All positions as JSON lines, which `offsets set --from` reads; those that sinks of a pipeline file hold as well. */
export const exportOffsets = async (flags: OffsetsFlags, output: OutputOptions): Promise<void> => {
  const offsets = [...(await withStore(flags, (store) => store.list()))];
  await lookAtHolders(
    await pipelinesOf(flags.config),
    consoleLogger(output),
    async (pipeline, sink, read) => {
      const position = await read();
      if (position !== null) offsets.push({ pipeline, sink, position, storedAtMs: Date.now() });
    },
  );
  for (const offset of offsets) process.stdout.write(`${JSON.stringify(offset)}\n`);
};

/** Stores a position, or all of an export, where it is kept: in the sink, if that holds its own, or in the store. */
export const setOffsets = async (
  flags: OffsetsFlags,
  wanted: { pipeline?: string; sink?: string; position?: string; from?: string },
  output: OutputOptions,
): Promise<void> => {
  const offsets = wanted.from === undefined ? [namedOffset(wanted)] : readExport(wanted.from);
  const pipelines = await pipelinesOf(flags.config);
  if (wanted.from === undefined) requireReader(pipelines, offsets[0]);
  const log = consoleLogger(output);
  const before: (Position | null)[] = [];
  for (const { pipeline, sink, position } of offsets) {
    const config = pipelines.find(({ name }) => name === pipeline);
    const held = config && (await setHeldPosition(config, sink, position, log));
    before.push(held === undefined ? await store(flags, { pipeline, sink, position }) : held.before);
  }
  if (output.isJson) process.stdout.write(`${JSON.stringify({ set: offsets })}\n`);
  else
    for (const [at, { pipeline, sink, position }] of offsets.entries())
      process.stdout.write(
        `set ${pipeline} ${sink} to ${formatPosition(position)} (was ${formatPosition(before[at])})\n`,
      );
};

/** Stores a position, and gives the one before. */
const store = (
  flags: OffsetsFlags,
  { pipeline, sink, position }: Pick<StoredOffset, 'pipeline' | 'sink' | 'position'>,
): Promise<Position | null> =>
  withStore(flags, (offsets) =>
    whileOwned(offsets, pipeline, async () => {
      const before = await offsets.load(pipeline, sink);
      await offsets.save(pipeline, sink, position);
      return before;
    }),
  );

/** Forgets positions, in the store and in the sinks that hold theirs, and says which. */
export const resetOffsets = async (
  flags: OffsetsFlags,
  pipeline: string,
  sink: string | undefined,
  output: OutputOptions,
): Promise<void> => {
  const doomed: { pipeline: string; sink: string; position: Position | null }[] = await withStore(
    flags,
    async (offsets) => {
      const stored = async (): Promise<StoredOffset[]> =>
        (await offsets.list(pipeline)).filter((offset) => sink === undefined || offset.sink === sink);
      if ((await stored()).length === 0) return [];
      return await whileOwned(offsets, pipeline, async () => {
        const found = await stored();
        await offsets.reset(pipeline, sink);
        return found;
      });
    },
  );
  const config = (await pipelinesOf(flags.config)).find(({ name }) => name === pipeline);
  for (const { name } of config?.sinks ?? []) {
    if (config === undefined || (sink !== undefined && sink !== name)) continue;
    const held = await setHeldPosition(config, name, null, consoleLogger(output));
    if (held !== undefined) doomed.push({ pipeline, sink: name, position: held.before });
  }
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

const placeOf = async ({ config, store, path, url = '', name }: OffsetsFlags): Promise<OffsetsPlace> => {
  const [first, ...others] = (await pipelinesOf(config)).map(({ offsets }) => offsets);
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
const requireReader = (pipelines: readonly PipelineConfig[], { pipeline, sink }: StoredOffset): void => {
  if (pipelines.length === 0) return;
  const sinks = pipelines.find(({ name }) => name === pipeline)?.sinks;
  if (sinks === undefined) throw unknownName('pipeline', pipeline, pipelines);
  if (!sinks.some(({ name }) => name === sink)) throw unknownName(`sink of ${pipeline}`, sink, sinks);
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
  const offsets = readLines(file).flatMap((line, at) => {
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
  if (offsets.length > 0) return offsets;
  throw new TailraceError('USAGE', `${file} holds no position`, {
    remedy: 'Use what `tailrace offsets export` wrote.',
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
