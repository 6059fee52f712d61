import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { KvrocksSource } from '../../../connectors/kvrocks/index.js';
import { WalSource } from '../../../connectors/wal/index.js';
import { TailraceError } from '../../errors/index.js';
import {
  ByteWriter,
  batchCount,
  batchSequence,
  Decoder,
  EventEncoder,
  type Source,
  type Transaction,
} from '../../kit/index.js';
import { compileFilter, filterTransaction } from '../../pipeline/index.js';
import { consoleLogger, type OutputOptions } from '../console.js';
import { describeChange } from '../describe-change.js';
import { onInterrupt, untilInterrupted } from '../interrupt.js';
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
  await using source = openSource(place, flags, output);
  const from = parseFrom(flags.from);
  await source.open(from === 'latest' ? { kind: 'latest' } : { kind: 'beginning' }, interrupted);
  const passes = compileFilter({
    ...(flags.keys === undefined ? {} : { keys: flags.keys }),
    ...(flags.types === undefined ? {} : { types: flags.types }),
  });
  const decoder = new Decoder();
  const encoder = new EventEncoder({ connector: 'tailrace', name: place.replace(/\/\/.*@/, '//') });
  const out = new ByteWriter();
  while (!interrupted.aborted) {
    const pulled = await source
      .pull({ maxBatches: 1000, maxBytes: 1024 * 1024 }, interrupted)
      .catch((error: unknown) => {
        if (interrupted.aborted) return null; // the usual end of it
        throw error;
      });
    if (pulled === null) break;
    for (const { bytes } of pulled.batches) {
      const transaction = decoder.decode(bytes);
      if (typeof from === 'number' && batchSequence(bytes) + batchCount(bytes) - 1 <= from) continue;
      for (const { seq, reason } of transaction.undecodable)
        log.warn('cannot be decoded', { sequence: seq, reason });
      const kept = filterTransaction(transaction, passes);
      if (output.isJson) encoder.append(out, kept);
      else writeText(out, kept);
    }
    if (out.length > 0) await writeOut(out.take());
    if (flags.once && pulled.batches.length === 0) break;
  }
};

const writeText = (out: ByteWriter, transaction: Transaction): void => {
  for (const change of transaction.changes) out.utf8(`${change.seq}  ${describeChange(change)}\n`);
};

const openSource = (place: string, flags: TailFlags, output: OutputOptions): Source => {
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
      },
      context,
    );
  }
  if (!existsSync(place) || !statSync(place).isDirectory())
    throw new TailraceError('USAGE', `${place} is neither an address nor a directory`, {
      remedy: 'Write redis://host:port, or the directory of a store or of a Kvrocks.',
    });
  // A Kvrocks keeps its database in a folder of its data directory.
  const inner = join(place, 'db');
  const path = existsSync(join(inner, 'CURRENT')) ? inner : place;
  if (!['IDENTITY', 'CURRENT'].some((file) => existsSync(join(path, file))) && !hasLogFiles(path))
    throw new TailraceError('USAGE', `${place} has no log files`, {
      remedy: 'Name the directory of a store, or the data directory of a Kvrocks.',
    });
  return new WalSource({ path, follow: flags.once !== true, pollMs: 50 });
};

const hasLogFiles = (directory: string): boolean =>
  readdirSync(directory).some((name) => /^\d+\.log$/.test(name));

const parseFrom = (text: string): 'beginning' | 'latest' | number => {
  if (text === 'beginning' || text === 'latest') return text;
  const sequence = Number(text);
  if (Number.isSafeInteger(sequence) && sequence >= 0) return sequence;
  throw new TailraceError('USAGE', `--from ${text} is no place`, {
    remedy: 'Use beginning, latest, or a sequence number.',
  });
};
