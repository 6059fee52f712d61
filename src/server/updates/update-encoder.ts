import {
  type Change,
  type Decoder,
  EventEncoder,
  type RedisCommand,
  type Transaction,
  type Turns,
  toRedisCommands,
  withChanges,
} from '../../data-model/index.js';
import type { WalBatch } from '../../engine/index.js';
import { ByteWriter, ReplyWriter } from '../../resp/index.js';
import type { UpdateFilter } from './update-filter.js';
import type { UpdateFormat } from './update-request.js';

/** What became of a batch: written, nothing of it is wanted, or why it cannot be told in this format. */
export type Encoded = 'written' | 'unwanted' | { readonly fault: string };

/** Writes the batches of one reply in one format, as they are read from the log. */
export interface UpdateEncoder {
  /** Begins a new reply of at most `max` batches. */
  start(max: number): void;
  add(batch: WalBatch): Encoded;
  /** `add` of a large batch, during which others get their turns. Absent where it takes no longer than to copy it. */
  addInTurns?(batch: WalBatch, turns: Turns): Promise<Encoded>;
  /** Batches in the reply so far. */
  readonly count: number;
  /** Writes the array of what was added. */
  finish(reply: ReplyWriter): void;
}

/** The encoder of a format. `decoder` goes on from batch to batch, from one reply to the next. */
export const updateEncoder = (
  format: UpdateFormat,
  filter: UpdateFilter | undefined,
  decoder: Decoder,
): UpdateEncoder => {
  if (format === 'JSON') return new EventUpdates(filter, decoder);
  if (format === 'RESP') return new CommandUpdates(filter, decoder);
  return new BatchUpdates(format === 'RAW', filter, decoder);
};

/**
 * Whole batches, the bytes as they are or in hexadecimal. With a filter, those of which anything passes. A batch
 * without counted records is held back until a counted one follows, so that it never ends a reply.
 * Hot: bench `pollupdates`.
 */
class BatchUpdates implements UpdateEncoder {
  readonly #isHexadecimal: boolean;
  readonly #filter: UpdateFilter | undefined;
  readonly #decoder: Decoder;
  #max = 0;
  #count = 0;
  #held: Buffer[] = [];

  constructor(isHexadecimal: boolean, filter: UpdateFilter | undefined, decoder: Decoder) {
    this.#isHexadecimal = isHexadecimal;
    this.#filter = filter;
    this.#decoder = decoder;
  }

  get count(): number {
    return this.#count;
  }

  start(max: number): void {
    scratch.clear();
    this.#max = max;
    this.#count = 0;
    this.#held = [];
  }

  add(batch: WalBatch): Encoded {
    if (batch.count === 0) {
      if (this.#filter === undefined) this.#held.push(Buffer.from(batch.bytes));
      return 'unwanted';
    }
    if (this.#filter !== undefined && !isWanted(this.#decoder.decode(batch.bytes), this.#filter))
      return 'unwanted';
    // Where there is room for the counted one alone, those before it are passed over.
    if (this.#count + this.#held.length < this.#max) for (const bytes of this.#held) this.#write(bytes);
    this.#held = [];
    this.#write(batch.bytes);
    return 'written';
  }

  finish(reply: ReplyWriter): void {
    reply.array(this.#count);
    reply.out.moveFrom(scratch);
  }

  #write(bytes: Buffer): void {
    this.#count++;
    if (!this.#isHexadecimal) {
      scratch.bulk(bytes);
      return;
    }
    scratch.bulkHex(bytes);
  }
}

/** One event of version 1 for each change that passes. */
class EventUpdates implements UpdateEncoder {
  readonly #filter: UpdateFilter | undefined;
  readonly #decoder: Decoder;
  readonly #encoder = new EventEncoder({ connector: 'tailrace', name: 'updates' });
  #out = scratch;
  #events = 0;
  count = 0;

  constructor(filter: UpdateFilter | undefined, decoder: Decoder) {
    this.#filter = filter;
    this.#decoder = decoder;
  }

  start(): void {
    scratch.clear();
    this.#out = scratch;
    this.#events = 0;
    this.count = 0;
  }

  add(batch: WalBatch): Encoded {
    const transaction = wantedOf(this.#decoder.decode(batch.bytes), this.#filter);
    if ('fault' in transaction) return transaction;
    for (const change of transaction.changes) this.#write(transaction, change);
    return this.#countedIf(transaction.changes.length > 0);
  }

  async addInTurns(batch: WalBatch, turns: Turns): Promise<Encoded> {
    this.#out = new ByteWriter(); // others use the scratch meanwhile
    const transaction = wantedOf(await this.#decoder.decodeInTurns(batch.bytes, turns), this.#filter);
    if ('fault' in transaction) return transaction;
    for (const change of transaction.changes) {
      this.#write(transaction, change);
      if (turns.isOver) await turns.next();
    }
    return this.#countedIf(transaction.changes.length > 0);
  }

  finish(reply: ReplyWriter): void {
    reply.array(this.#events);
    reply.out.moveFrom(this.#out);
  }

  #write(transaction: Transaction, change: Change): void {
    this.#out.bulk(this.#encoder.encode(transaction, change));
    this.#events++;
  }

  #countedIf(isWanted: boolean): Encoded {
    if (!isWanted) return 'unwanted';
    this.count++;
    return 'written';
  }
}

/** The commands that bring the changes about, under the name of their namespace, as Kvrocks groups them. */
class CommandUpdates implements UpdateEncoder {
  readonly #filter: UpdateFilter | undefined;
  readonly #decoder: Decoder;
  count = 0;
  readonly #byNamespace = new Map<string, { count: number; readonly reply: ReplyWriter }>();

  constructor(filter: UpdateFilter | undefined, decoder: Decoder) {
    this.#filter = filter;
    this.#decoder = decoder;
  }

  start(): void {
    this.#byNamespace.clear();
    this.count = 0;
  }

  add(batch: WalBatch): Encoded {
    const transaction = wantedOf(this.#decoder.decode(batch.bytes), this.#filter);
    if ('fault' in transaction) return transaction;
    const byNamespace = new Map<string, Change[]>();
    for (const change of transaction.changes) {
      const ns = change.ns === '' ? 'default' : change.ns; // FLUSHALL is nobody's
      const changes = byNamespace.get(ns);
      if (changes === undefined) byNamespace.set(ns, [change]);
      else changes.push(change);
    }
    const groups: { readonly ns: string; readonly commands: readonly RedisCommand[] }[] = [];
    for (const [ns, changes] of byNamespace) {
      const mapping = { json: 'module', prefixes: { [ns]: '' } } as const;
      const { commands, unsupported } = toRedisCommands({ changes }, mapping);
      if (unsupported.length > 0) return { fault: unsupported[0].reason };
      if (commands.length > 0) groups.push({ ns, commands });
    }
    for (const { ns, commands } of groups) this.#write(ns, commands);
    if (groups.length === 0) return 'unwanted';
    this.count++;
    return 'written';
  }

  finish(reply: ReplyWriter): void {
    reply.array(this.#byNamespace.size * 2);
    for (const [ns, group] of this.#byNamespace) {
      reply.bulkText(ns);
      reply.array(group.count);
      reply.out.moveFrom(group.reply.out);
    }
  }

  #write(ns: string, commands: readonly RedisCommand[]): void {
    const group = this.#byNamespace.get(ns) ?? { count: 0, reply: new ReplyWriter() };
    this.#byNamespace.set(ns, group);
    for (const words of commands) {
      group.count++;
      group.reply.array(words.length);
      for (const word of words) {
        if (typeof word === 'string') group.reply.bulkText(word);
        else group.reply.bulk(word);
      }
    }
  }
}

/** The transaction with what passes; a fault when something that may be wanted cannot be decoded. */
const wantedOf = (
  transaction: Transaction,
  filter: UpdateFilter | undefined,
): Transaction | { readonly fault: string } => {
  const undecodable = transaction.undecodable.find(({ key }) => filter?.mayConcern(key) ?? true);
  if (undecodable !== undefined) return { fault: undecodable.reason };
  if (filter === undefined) return transaction;
  return withChanges(
    transaction,
    transaction.changes.filter((change) => filter.passes(change)),
  );
};

const isWanted = ({ changes, undecodable }: Transaction, filter: UpdateFilter): boolean =>
  changes.some((change) => filter.passes(change)) || undecodable.some(({ key }) => filter.mayConcern(key));

/** Replies are made one after the other, so one buffer serves all. */
const scratch = new ByteWriter(256 * 1024);
