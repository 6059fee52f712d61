import {
  type ByteWriter,
  type Change,
  CommandEncoder,
  type Rejection,
  type Transaction,
  writeCommand,
} from '../../src/kit/index.js';
import type { BatchCommands, TakenWords, TargetMapping, WrittenCommands } from './batch-commands.js';
import { type CommandPlace, placeOfCommand } from './command-places.js';
import { type NamespaceTargets, prefixesOf } from './namespace-targets.js';
import type { SentReplies } from './sent-replies.js';
import { rejectTooLarge } from './too-large.js';

/** Changes of one transaction that go to one database, and the commands that carry them out. */
interface Run {
  readonly transaction: number;
  readonly from: number;
  readonly to: number;
  readonly database: number;
  /** Among the commands of the batch, the SELECTs included. */
  readonly firstCommand: number;
}

/**
 * Commands of namespaces that have databases of their own: a SELECT wherever the database changes, and one at the end
 * that goes back. All of them are queued with the batch, so a batch that is not carried out changes no database. The
 * claim has made sure that the databases exist, since a SELECT that failed would let the commands behind it go astray.
 */
export class DatabaseCommands implements BatchCommands {
  readonly databases: readonly number[];
  readonly #home: number;
  readonly #databaseOf: ReadonlyMap<string, number>;
  readonly #encoders = new Map<number, CommandEncoder>();

  constructor(targets: NamespaceTargets, home: number, mapping: TargetMapping) {
    this.#home = home;
    this.#databaseOf = new Map(
      Object.entries(targets).map(([ns, target]) => [ns, typeof target === 'number' ? target : home]),
    );
    const all = new Set([home, ...this.#databaseOf.values()]);
    this.databases = [...all].filter((database) => database !== home);
    for (const database of all) {
      const here = Object.entries(targets).filter(([ns]) => this.#databaseOf.get(ns) === database);
      const prefixes = prefixesOf(Object.fromEntries(here));
      this.#encoders.set(database, new CommandEncoder({ ...mapping, prefixes }));
    }
  }

  *write(
    transactions: readonly Transaction[],
    out: ByteWriter,
    sent: SentReplies,
    { largestWordBytes }: TakenWords,
  ): Generator<void, WrittenCommands> {
    const rejections: Rejection[] = [];
    const before = sent.expected;
    let selected = this.#home;
    const select = (database: number): void => {
      if (database === selected) return;
      writeCommand(out, ['SELECT', database]);
      sent.expect(1);
      selected = database;
    };
    const runs: Run[] = [];
    for (let transaction = 0; transaction < transactions.length; transaction++) {
      const { changes } = transactions[transaction];
      let nextYield = changesInPart;
      for (let from = 0; from < changes.length; ) {
        const databases = this.#databasesOf(changes[from]);
        const to = databases.length === 1 ? this.#endOfRun(changes, from, databases[0]) : from + 1;
        if (databases.length === 0)
          rejections.push({ transaction, change: from, reason: noPlace(changes[from].ns) });
        for (const database of databases) {
          select(database);
          runs.push({ transaction, from, to, database, firstCommand: sent.expected - before });
          const run = changes.slice(from, to);
          for (const { change, reason } of this.#append(run, database, out, sent, largestWordBytes))
            rejections.push({ transaction, change: from + change, reason });
        }
        from = to;
        if (from >= nextYield) {
          sent.sendLargeParts();
          nextYield = from + changesInPart;
          yield;
        }
      }
      sent.sendLargeParts();
    }
    select(this.#home);
    return { rejections, placeOf: (command) => this.#placeOf(transactions, runs, command) };
  }

  /** Appends the commands of changes that go to the selected database, or none when a word is too long; what it does not take. */
  #append(
    changes: readonly Change[],
    database: number,
    out: ByteWriter,
    sent: SentReplies,
    largestWordBytes: number,
  ): readonly Pick<Rejection, 'change' | 'reason'>[] {
    const encoder = this.#encoderOf(database);
    const run = { changes };
    const before = out.length;
    const commands = encoder.append(out, run);
    const { unsupported } = encoder;
    const tooLarge =
      out.length - before > largestWordBytes ? rejectTooLarge([run], 0, 1, encoder, largestWordBytes) : [];
    if (tooLarge.length > 0) out.truncate(before);
    else sent.expect(commands);
    return [...unsupported, ...tooLarge];
  }

  #placeOf(
    transactions: readonly Transaction[],
    runs: readonly Run[],
    command: number,
  ): CommandPlace | undefined {
    const run = runs.findLast(({ firstCommand }) => firstCommand <= command);
    if (run === undefined) return undefined;
    const { transaction, from, to, database, firstCommand } = run;
    const part = { ...transactions[transaction], changes: transactions[transaction].changes.slice(from, to) };
    const place = placeOfCommand([part], command - firstCommand, this.#encoderOf(database));
    return place && { transaction, from: from + place.from, to: from + place.to, end: transaction + 1 };
  }

  /** Where a change goes: one database, every one for a flush of everything, none for an unknown namespace. */
  #databasesOf(change: Change): readonly number[] {
    if (change.op === 'clear' && change.type === 'all') return [...this.#encoders.keys()];
    if (change.op === 'propagate' || change.op === 'publish') return [this.#home];
    const database = this.#databaseOf.get(change.ns);
    return database === undefined ? [] : [database];
  }

  #endOfRun(changes: readonly Change[], from: number, database: number): number {
    const limit = Math.min(changes.length, from + changesInPart);
    let to = from + 1;
    while (to < limit) {
      const databases = this.#databasesOf(changes[to]);
      if (databases.length !== 1 || databases[0] !== database) break;
      to++;
    }
    return to;
  }

  #encoderOf(database: number): CommandEncoder {
    const encoder = this.#encoders.get(database);
    if (encoder === undefined) throw new RangeError(`no namespace goes to database ${database}`);
    return encoder;
  }
}

/** What stands between two yields. */
const changesInPart = 1_000;

const noPlace = (ns: string): string => `the namespace ${ns} has no place in the target`;
