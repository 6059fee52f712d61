import {
  type ByteWriter,
  CommandEncoder,
  type RedisMapping,
  type Rejection,
  type Transaction,
} from '../../src/kit/index.js';
import { type CommandPlace, placeOfCommand } from './command-places.js';
import { DatabaseCommands } from './database-commands.js';
import { type NamespaceTargets, prefixesOf } from './namespace-targets.js';
import type { SentReplies } from './sent-replies.js';
import { rejectTooLarge } from './too-large.js';

/** The commands of a batch, between MULTI and EXEC. They begin and end in the connection's own database. */
export interface BatchCommands {
  /** Databases that are used beside the connection's own. */
  readonly databases: readonly number[];
  /**
   * Appends the commands and sends the larger part of them; but none with a word beyond what the server takes. Yields where
   * others may have their turn: only large transactions do.
   */
  write(
    transactions: readonly Transaction[],
    out: ByteWriter,
    sent: SentReplies,
    server: TakenWords,
  ): Generator<void, WrittenCommands>;
}

/** What a server takes. */
export interface TakenWords {
  readonly largestWordBytes: number;
  /** Hashes as Redis 7 dumps them. */
  readonly takesDumps: boolean;
}

export interface WrittenCommands {
  /** The changes that the target cannot take. */
  readonly rejections: readonly Rejection[];
  /** The changes behind the `command`th of the commands; undefined when there is no such command. */
  placeOf(command: number): CommandPlace | undefined;
}

/** How the target keeps what it is given, whatever database and namespace it goes to. */
export type TargetMapping = Omit<RedisMapping, 'prefixes' | 'foldSets' | 'restoreHashes'>;

/** Where the target has all types of a Kvrocks. */
export const kvrocksTypes: TargetMapping = {
  json: 'module',
  sortedInt: 'native',
  bitmap: 'native',
  hyperLogLog: 'native',
};

/** @param home the connection's own database */
export const batchCommands = (
  targets: NamespaceTargets,
  home: number,
  mapping: TargetMapping,
): BatchCommands => {
  const usesOthers = Object.values(targets).some((target) => typeof target === 'number' && target !== home);
  return usesOthers
    ? new DatabaseCommands(targets, home, mapping)
    : new PrefixCommands(prefixesOf(targets), mapping);
};

/** One database. Hot: bench `redis-sink`. */
class PrefixCommands implements BatchCommands {
  readonly databases = [];
  readonly #encoder: CommandEncoder;
  readonly #dumping: CommandEncoder;

  constructor(prefixes: Readonly<Record<string, string>>, mapping: TargetMapping) {
    this.#encoder = new CommandEncoder({ ...mapping, prefixes, foldSets: true });
    this.#dumping = new CommandEncoder({ ...mapping, prefixes, foldSets: true, restoreHashes: true });
  }

  *write(
    transactions: readonly Transaction[],
    out: ByteWriter,
    sent: SentReplies,
    { largestWordBytes, takesDumps }: TakenWords,
  ): Generator<void, WrittenCommands> {
    const encoder = takesDumps ? this.#dumping : this.#encoder;
    const rejections: Rejection[] = [];
    for (let at = 0; at < transactions.length; ) {
      if (isLarge(transactions[at])) {
        yield* writeInParts(transactions[at], at, encoder, { out, sent, largestWordBytes, rejections });
        at++;
        continue;
      }
      const before = out.length;
      const end = encoder.appendNext(out, transactions, at);
      const { commands, unsupported } = encoder;
      for (const { change, reason } of unsupported) rejections.push({ transaction: at, change, reason });
      const tooLarge =
        out.length - before > largestWordBytes
          ? rejectTooLarge(transactions, at, end, encoder, largestWordBytes)
          : none;
      rejections.push(...tooLarge);
      if (tooLarge.length > 0) out.truncate(before);
      else sent.expect(commands);
      sent.sendLargeParts();
      at = end;
    }
    return { rejections, placeOf: (command) => placeOfCommand(transactions, command, encoder) };
  }
}

/** Looks at the changes only of what has many records: others may not have been taken apart. */
const isLarge = (transaction: Transaction): boolean =>
  transaction.count > changesInPart && transaction.changes.length > changesInPart;

/** What stands between two yields. */
const changesInPart = 1_000;

function* writeInParts(
  { changes }: Transaction,
  transaction: number,
  encoder: CommandEncoder,
  to: { out: ByteWriter; sent: SentReplies; largestWordBytes: number; rejections: Rejection[] },
): Generator<void> {
  const { out, sent, largestWordBytes, rejections } = to;
  for (let from = 0; from < changes.length; ) {
    const before = out.length;
    const end = encoder.appendPart(out, changes, from, from + changesInPart);
    const { commands, unsupported } = encoder;
    for (const { change, reason } of unsupported) rejections.push({ transaction, change, reason });
    const part = { changes: changes.slice(from, end) };
    const tooLarge =
      out.length - before > largestWordBytes ? rejectTooLarge([part], 0, 1, encoder, largestWordBytes) : none;
    for (const { change, reason } of tooLarge)
      rejections.push({ transaction, change: from + change, reason });
    if (tooLarge.length > 0) out.truncate(before);
    else sent.expect(commands);
    sent.sendLargeParts();
    from = end;
    yield;
  }
}

const none: readonly never[] = [];
