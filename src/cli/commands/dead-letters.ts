import { createReadStream } from 'node:fs';
import process from 'node:process';
import { type ChosenSink, type PipelineConfig, requirePipelines } from '../../../config/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import {
  type Change,
  Decoder,
  type Logger,
  onceSettled,
  type Position,
  type Sink,
  type Transaction,
  withChanges,
} from '../../kit/index.js';
import { changeOf, type DeadLetterTarget, ReadDeadLetters, type StoredLetter } from '../../pipeline/index.js';
import { assembleTransform } from '../assemble-transforms.js';
import { consoleLogger, counted, formatTable, type OutputOptions } from '../console.js';
import { describeChange } from '../describe-change.js';
import { ExitCode } from '../exit.js';
import { registryFor } from '../load-plugins.js';
import { describeDeadLetters, openDeadLetters } from '../open-dead-letters.js';
import { openOffsets } from '../open-offsets.js';
import { makeSink } from '../run-pipelines.js';

export interface LetterFlags {
  /** Only letters of this sink. */
  readonly sink?: string;
  /** Only letters of this sequence number. */
  readonly sequence?: number;
  /** A file of letters, or `-` for the standard input, instead of where the pipeline keeps them. */
  readonly from?: string;
}

/** Lists the dead letters of pipelines that are not settled yet. */
export const listLetters = async (
  files: readonly string[],
  flags: LetterFlags,
  output: OutputOptions,
): Promise<void> => {
  const log = consoleLogger(output);
  const rows: StoredLetter[] = [];
  const read = await readLetters(flags.from, log);
  const places = new Set<string>();
  for (const config of requirePipelines(files, await registryFor(files))) {
    await using target = read ?? (await openDeadLetters(config, log));
    places.add(flags.from ?? describeDeadLetters(config));
    rows.push(...(await chosen(target, config, flags)));
  }
  if (output.isJson) {
    for (const letter of rows) process.stdout.write(`${JSON.stringify(letter)}\n`);
    return;
  }
  const shown = rows.map((letter) => {
    const change = changeOf(letter);
    const what = change === undefined ? 'cannot be decoded' : describeChange(change);
    return [letter.at, letter.pipeline, letter.sink, letter.sequence, what.slice(0, 60), letter.reason];
  });
  process.stdout.write(
    rows.length === 0
      ? `no dead letters in ${[...places].join(', nor in ')}\n`
      : `${formatTable(['AT', 'PIPELINE', 'SINK', 'SEQUENCE', 'CHANGE', 'REASON'], shown)}\n`,
  );
};

/** Settles dead letters without delivering them. */
export const dropLetters = async (
  files: readonly string[],
  flags: LetterFlags,
  output: OutputOptions,
): Promise<void> => {
  let dropped = 0;
  for (const config of requirePipelines(files, await registryFor(files))) {
    await using target = await openDeadLetters(config, consoleLogger(output));
    const letters = await chosen(target, config, flags);
    await target.settle(letters.map(({ id }) => id));
    dropped += letters.length;
  }
  process.stdout.write(
    output.isJson ? `${JSON.stringify({ dropped })}\n` : `dropped ${counted(dropped, 'dead letter')}\n`,
  );
};

/**
 * Delivers dead letters once more, each to the sink that refused it and without moving its position. The pipeline must
 * not be running: the sink is claimed. A letter that is refused again stays.
 */
export const replayLetters = async (
  files: readonly string[],
  flags: LetterFlags,
  output: OutputOptions,
): Promise<void> => {
  const log = consoleLogger(output);
  let delivered = 0;
  let refused = 0;
  const read = await readLetters(flags.from, log);
  for (const config of requirePipelines(files, await registryFor(files))) {
    await using target = read ?? (await openDeadLetters(config, log));
    const letters = await chosen(target, config, flags);
    for (const name of new Set(letters.map(({ sink }) => sink))) {
      const mine = letters.filter(({ sink }) => sink === name);
      const part = config.sinks.find((sink) => sink.name === name);
      if (part === undefined)
        log.warn('not delivered: the pipeline has no such sink any more', {
          sink: name,
          letters: mine.length,
        });
      const count = part === undefined ? 0 : await replayTo(config, part, mine, target, log);
      delivered += count;
      refused += mine.length - count;
    }
  }
  if (output.isJson) process.stdout.write(`${JSON.stringify({ delivered, refused })}\n`);
  else
    process.stdout.write(
      `delivered ${counted(delivered, 'dead letter')}, ${counted(refused, 'stays', 'stay')}\n`,
    );
  if (refused > 0) process.exitCode = ExitCode.Failed;
};

/** Letters that were read elsewhere, for whatever pipeline they are of; undefined when `from` names nothing. */
const readLetters = async (from: string | undefined, log: Logger): Promise<DeadLetterTarget | undefined> => {
  if (from === undefined) return undefined;
  if (from === '-') return await ReadDeadLetters.read(process.stdin, 'standard input', log);
  try {
    return await ReadDeadLetters.read(createReadStream(from), from, log);
  } catch (cause) {
    throw isTailraceError(cause) ? cause : inaccessible(from, cause);
  }
};

const chosen = async (
  target: DeadLetterTarget,
  { name }: PipelineConfig,
  { sink, sequence }: LetterFlags,
): Promise<StoredLetter[]> =>
  (await target.list()).filter(
    (letter) =>
      letter.pipeline === name &&
      (sink === undefined || letter.sink === sink) &&
      (sequence === undefined || letter.sequence === sequence),
  );

/** How many of the letters the sink took. */
const replayTo = async (
  config: PipelineConfig,
  part: ChosenSink,
  letters: readonly StoredLetter[],
  target: DeadLetterTarget,
  log: Logger,
): Promise<number> => {
  const { name } = part;
  await using sink = await makeSink(part, { pipeline: config.name, sink: name, log });
  await using offsets = openOffsets(config.offsets);
  const { signal } = new AbortController();
  const lease = sink.holdsPosition ? undefined : await offsets.own(config.name, signal);
  try {
    const claim = await sink.claim(signal);
    const position = sink.holdsPosition ? claim.position : await offsets.load(config.name, name);
    if (position === null) throw nothingDelivered(config.name, name);
    const transform = await assembleTransform(config, part);
    let taken = 0;
    for (const letter of letters) {
      const transaction = await transactionOf(letter, transform, config);
      const reason = await write(sink, transaction, position, claim, signal);
      if (reason === undefined) {
        await target.settle([letter.id]);
        taken++;
      } else log.warn('not delivered', { sink: name, sequence: letter.sequence, reason });
    }
    return taken;
  } finally {
    await lease?.release();
  }
};

/** The refused change alone; what could not be decoded is tried again, as a newer version may know it. */
const transactionOf = async (
  letter: StoredLetter,
  transform: Awaited<ReturnType<typeof assembleTransform>>,
  config: PipelineConfig,
): Promise<Transaction> => {
  const bytes = Buffer.from(letter.batch, 'base64');
  const change = changeOf(letter);
  if (change !== undefined && bytes.length === 0) return keyOfSnapshot(letter, change);
  const decoded = (config.source.definition.makeDecoder?.() ?? new Decoder()).decode(bytes);
  if (change !== undefined) return withChanges(decoded, [change], []);
  const undecodable = decoded.undecodable.filter(({ seq }) => seq === letter.sequence);
  if (undecodable.length > 0) return withChanges(decoded, [], undecodable);
  const transformed = (await transform?.(decoded)) ?? decoded;
  const changes = transformed.changes.filter(({ seq }) => seq === letter.sequence);
  return withChanges(decoded, changes, []);
};

/** What a snapshot read is no batch of the log. */
const keyOfSnapshot = ({ first, last }: StoredLetter, change: Change): Transaction => ({
  first,
  last,
  count: 0,
  bytes: Buffer.alloc(0),
  changes: [change],
  undecodable: [],
  isSnapshot: true,
});

/** Why it was not taken; undefined when it was. */
const write = async (
  sink: Sink,
  transaction: Transaction,
  position: Position,
  claim: Awaited<ReturnType<Sink['claim']>>,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const [undecodable] = transaction.undecodable;
  if (undecodable !== undefined) return undecodable.reason;
  const batch = {
    transactions: [transaction],
    position,
    previous: position,
    byteLength: transaction.bytes.length,
  };
  const outcome = await onceSettled(sink.write(batch, claim, signal));
  switch (outcome.kind) {
    case 'durable':
      return undefined;
    case 'poison':
      return outcome.rejections[0]?.reason ?? 'the sink refuses it';
    default:
      return outcome.error.message;
  }
};

const nothingDelivered = (pipeline: string, sink: string): TailraceError =>
  new TailraceError('USAGE', `pipeline ${pipeline} has not delivered anything to ${sink} yet`, {
    context: { pipeline, sink },
    remedy: 'Run it first; dead letters are delivered without moving the position.',
  });
