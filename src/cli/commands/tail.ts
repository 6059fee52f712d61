import { existsSync, statSync } from 'node:fs';
import process from 'node:process';
import { KvrocksSource } from '../../../connectors/kvrocks/index.js';
import { WalSource } from '../../../connectors/wal/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import {
  ByteWriter,
  Decoder,
  EventEncoder,
  type Logger,
  type Source,
  type Transaction,
} from '../../kit/index.js';
import { compileFilter, filterTransaction } from '../../pipeline/index.js';
import { consoleLogger, type OutputOptions } from '../console.js';
import { describeChange } from '../describe-change.js';
import { onInterrupt, untilInterrupted } from '../interrupt.js';
import { OwnedParts } from '../owned-parts.js';
import { placeOfUrl } from '../place-of-url.js';
import type { TailFlags } from '../program.js';
import { onReaderGone } from '../reader-gone.js';
import { writeOut } from '../write-out.js';

/** Prints the changes of a source, decoded, without any configuration. */
export const tailCommand = async (place: string, flags: TailFlags, output: OutputOptions): Promise<void> => {
  const interrupted = AbortSignal.any([onInterrupt(), await onReaderGone()]);
  await untilInterrupted(interrupted, () => printChanges(place, flags, output, interrupted));
};

const printChanges = async (
  place: string,
  flags: TailFlags,
  output: OutputOptions,
  interrupted: AbortSignal,
): Promise<void> => {
  const log = consoleLogger(output);
  await using owned = new OwnedParts();
  let source = owned.add(openSource(place, flags, output));
  const from = parseFrom(flags.from);
  await source.open(from === 'latest' ? { kind: 'latest' } : { kind: 'beginning' }, interrupted);
  const passes = compileFilter({
    ...(flags.keys === undefined ? {} : { keys: flags.keys }),
    ...(flags.types === undefined ? {} : { types: flags.types }),
  });
  const decoder = new Decoder({ hasSlots: source.hasSlots === true });
  const encoder = new EventEncoder({ connector: 'tailrace', name: placeOfUrl(place) });
  const out = new ByteWriter();
  const start = new StartInLog(typeof from === 'number' ? from : 0, log);
  while (!interrupted.aborted) {
    const pulled = await source
      .pull({ maxBatches: 1000, maxBytes: 1024 * 1024 }, interrupted)
      .catch((error: unknown) => {
        if (interrupted.aborted) return null; // the usual end of it
        const first = start.newest === 0 ? firstLeft(error) : undefined;
        if (first === undefined || !(source instanceof KvrocksSource)) throw error;
        return first;
      });
    if (typeof pulled === 'number') {
      // A server keeps its log for a time: the beginning is that of what is left, as it is for a directory.
      await source[Symbol.asyncDispose]();
      source = owned.add(openSource(place, flags, output, pulled - 1));
      await source.open({ kind: 'beginning' }, interrupted);
      continue;
    }
    if (pulled === null) {
      start.tellOfEnd(false);
      break;
    }
    for (const { sequence, count, bytes } of pulled.batches) {
      const transaction = decoder.decode(bytes);
      if (!start.isPassed(sequence, count)) continue;
      for (const { seq, reason } of transaction.undecodable)
        log.warn('cannot be decoded', { sequence: seq, reason });
      const kept = filterTransaction(transaction, passes);
      if (output.isJson) encoder.append(out, kept);
      else writeText(out, kept);
    }
    if (out.length > 0) await writeOut(out.take());
    // A server tells how far its log goes; a directory is at its end when it gives nothing more.
    const isAtEnd =
      pulled.batches.length === 0 ||
      (source instanceof KvrocksSource && start.newest >= pulled.latestSequence);
    if (!isAtEnd) continue;
    start.tellOfEnd(flags.once !== true);
    if (flags.once) break;
  }
};

/** The first sequence number that a log still has, where an error tells that it begins later. */
const firstLeft = (error: unknown): number | undefined =>
  isTailraceError(error, 'WAL_PURGED') ? Number(error.context['first']) : undefined;

/** Where the changes that are shown begin: behind a sequence number that the log may no longer, or not yet, have. */
class StartInLog {
  readonly #from: number;
  readonly #log: Logger;
  #isPassed = false;
  #hasToldOfEnd = false;
  /** The last sequence number seen. */
  newest = 0;

  constructor(from: number, log: Logger) {
    this.#from = from;
    this.#log = log;
  }

  /** Whether a batch, in the order of the log, has anything to show. */
  isPassed(sequence: number, count: number): boolean {
    this.newest = Math.max(this.newest, sequence + count - 1);
    if (this.#isPassed) return true;
    if (this.newest <= this.#from) return false;
    this.#isPassed = true;
    if (this.#from > 0 && sequence > this.#from + 1)
      this.#log.warn('the log begins later than that', { from: this.#from, first: sequence });
    return true;
  }

  /** Says once that the log ends before the place to start at. */
  tellOfEnd(isWaiting: boolean): void {
    if (this.#hasToldOfEnd || this.newest >= this.#from) return;
    this.#hasToldOfEnd = true;
    this.#log.warn(`the log ends before that${isWaiting ? ': waiting for it' : ''}`, {
      from: this.#from,
      newest: this.newest,
    });
  }
}

const writeText = (out: ByteWriter, transaction: Transaction): void => {
  for (const change of transaction.changes) out.utf8(`${change.seq}  ${describeChange(change)}\n`);
};

const openSource = (place: string, flags: TailFlags, output: OutputOptions, beginsBehind = 0): Source => {
  const context = { pipeline: 'tail', log: consoleLogger(output) };
  if (/^rediss?:\/\//.test(place)) {
    const password = flags.password ?? process.env['TAILRACE_PASSWORD'] ?? '';
    return new KvrocksSource(
      {
        url: place,
        password,
        pollBatches: 1000,
        idlePollMs: 50,
        answerTimeoutMs: 30_000,
        giveUpAfterMs: 5_000,
        beginsBehind,
      },
      context,
    );
  }
  if (!existsSync(place) || !statSync(place).isDirectory())
    throw new TailraceError('USAGE', `${place} is neither an address nor a directory`, {
      remedy: 'Write redis://host:port, or the directory of a store or of a Kvrocks.',
    });
  return new WalSource({ path: place, follow: flags.once !== true, pollMs: 50 });
};

const parseFrom = (text: string): 'beginning' | 'latest' | number => {
  if (text === 'beginning' || text === 'latest') return text;
  const sequence = Number(text);
  if (Number.isSafeInteger(sequence) && sequence >= 0) return sequence;
  throw new TailraceError('USAGE', `--from ${text} is no place`, {
    remedy: 'Use beginning, latest, or a sequence number.',
  });
};
