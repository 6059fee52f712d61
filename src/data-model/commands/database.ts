import type { DataReader, Store } from '../../engine/index.js';
import { TailraceError } from '../../errors/index.js';
import { defaultNamespace } from '../encoding/keys.js';
import { CommandContext, type CommandServices, commandServices } from './command-context.js';
import { dataCommands } from './command-table.js';
import { CommandTransaction } from './command-transaction.js';
import { type DataCommand, wrongWords } from './data-command.js';
import { ErrorReply, type Reply } from './reply.js';

/** A word of a command. Strings are written as UTF-8, numbers in decimal. */
export type CommandWord = string | number | bigint | Uint8Array;

/**
 * What a command answers, as JavaScript has it: integers and doubles are numbers (a bigint beyond 2^53), maps of fields
 * are Maps, everything else that is many is an array. Byte strings are Buffers from `callBuffer`, else text.
 */
export type CommandValue<Bytes> =
  | number
  | bigint
  | string
  | Bytes
  | null
  | readonly CommandValue<Bytes>[]
  | ReadonlyMap<CommandValue<Bytes>, CommandValue<Bytes>>;

/** Which keys a `Database` works on. */
export interface DatabaseOptions {
  /** Keys of another namespace are other keys; default the one that clients see without a token. */
  readonly namespace?: string;
  /** @internal Clock, chance, and what is known of keys: for tests, which own them. */
  readonly services?: CommandServices;
}

/**
 * The commands of Redis on a store in this process, without a server or a socket: the same commands, the same encodings
 * and so the same changes in the log as through `tailrace serve`.
 *
 * A command sees every command before it, also those whose promises are still open. What waits in Redis (BLPOP …)
 * answers at once here. Make one for a store, and none beside a Server on the same store: its clients' WATCH and BLPOP
 * would not notice.
 *
 * @example
 * const database = new Database(engine);
 * await database.call('HSET', 'order:1', 'user', 'ada', 'total', 42);   // durable when it resolves
 * await database.call('HGETALL', 'order:1');                           // Map { 'user' => 'ada', 'total' => '42' }
 * await database.transaction([['INCR', 'orders'], ['LPUSH', 'recent', 'order:1']]); // one batch of the log
 */
export class Database {
  readonly #reader: DataReader;
  /** Undefined on a snapshot: nothing is written to it. */
  readonly #store: Store | undefined;
  readonly #namespace: string;
  readonly #services: CommandServices;
  readonly #context: CommandContext;

  /** On a store, or, for commands that read, on a snapshot or an open checkpoint. */
  constructor(store: Store | DataReader, options: DatabaseOptions = {}) {
    this.#reader = store;
    this.#store = 'commit' in store ? store : undefined;
    this.#namespace = options.namespace ?? defaultNamespace;
    this.#services = options.services ?? commandServices();
    this.#context = new CommandContext(store, this.#services, this.#namespace);
  }

  /**
   * Runs a command; resolves when what it wrote is durable.
   * @throws TailraceError `COMMAND_REFUSED` with Redis' words: an unknown command, WRONGTYPE, a bad argument …;
   * `STORE_FAILED` | `STORE_CLOSED` | `STORE_READ_ONLY`
   */
  async call(name: string, ...words: readonly CommandWord[]): Promise<CommandValue<string>> {
    return this.#call(name, words, asText);
  }

  /** As `call`, with byte strings as Buffers, which are the caller's. */
  async callBuffer(name: string, ...words: readonly CommandWord[]): Promise<CommandValue<Buffer>> {
    return this.#call(name, words, asBuffer);
  }

  /**
   * Runs commands as one batch (MULTI … EXEC): a sink gets it whole. Each command sees what those before it did. When one
   * is refused nothing at all is written; Redis would write the others.
   * @throws as `call`
   */
  async transaction(
    commands: readonly (readonly [name: string, ...words: readonly CommandWord[]])[],
  ): Promise<CommandValue<string>[]> {
    const transaction = new CommandTransaction(this.#reader, this.#services, this.#namespace);
    const values = commands.map(([name, ...words]) => {
      const { command, args } = findCommand(name, words);
      return toValue(accepted(name, transaction.run(command, args)), asText);
    });
    if (transaction.batch.count > 0) await this.#whenDurable(this.#commit(transaction.batch.finish()));
    return values;
  }

  async #call<Bytes>(
    name: string,
    words: readonly CommandWord[],
    read: (bytes: Buffer) => Bytes,
  ): Promise<CommandValue<Bytes>> {
    const { command, args } = findCommand(name, words);
    const { batch } = this.#context;
    this.#context.begin();
    // Read before the commit: the reply may borrow from the store.
    const value = toValue(accepted(name, command.run(this.#context, args)), read);
    if (batch.count === 0) return value;
    const last = this.#commit(batch.finish());
    this.#context.settle();
    await this.#whenDurable(last);
    return value;
  }

  #commit(batch: Buffer): number {
    if (this.#store === undefined) throw readOnly();
    return this.#store.commit(batch).last;
  }

  async #whenDurable(sequence: number): Promise<void> {
    await this.#store?.whenDurable(sequence);
  }
}

const findCommand = (
  name: string,
  words: readonly CommandWord[],
): { command: DataCommand; args: readonly Buffer[] } => {
  const command = dataCommands.get(name.toLowerCase());
  if (command === undefined) throw refused(name, `ERR unknown command '${name}'`);
  const args = [Buffer.from(name), ...words.map(bytesOf)];
  const fault = wrongWords(command, args);
  if (fault !== undefined) throw refused(name, fault.text);
  return { command, args };
};

const bytesOf = (word: CommandWord): Buffer =>
  typeof word === 'object'
    ? Buffer.from(word.buffer, word.byteOffset, word.byteLength)
    : Buffer.from(String(word));

const accepted = (name: string, reply: Reply): Exclude<Reply, ErrorReply> => {
  if (reply instanceof ErrorReply) throw refused(name, reply.text);
  return reply;
};

const toValue = <Bytes>(reply: Reply, read: (bytes: Buffer) => Bytes): CommandValue<Bytes> => {
  if (reply === null || typeof reply !== 'object') return reply;
  if (Buffer.isBuffer(reply)) return read(reply);
  if (!('kind' in reply)) return reply.map((item) => toValue(item, read));
  switch (reply.kind) {
    case 'slice':
      return read(reply.bytes.subarray(reply.start, reply.end));
    case 'nullArray':
      return null;
    case 'double':
      return reply.value;
    case 'set':
      return reply.members.map((member) => toValue(member, read));
    case 'map':
    case 'table':
      return new Map(pairsOf(reply.entries, read));
    case 'pairs':
      return pairsOf(reply.items, read);
    case 'boolean':
      return Number(reply.value);
    case 'byProtocol':
      return toValue(reply.resp2, read);
    case 'error':
      return reply.text;
  }
};

/** a, b, a, b … as pairs. */
const pairsOf = <Bytes>(
  items: readonly Reply[],
  read: (bytes: Buffer) => Bytes,
): [CommandValue<Bytes>, CommandValue<Bytes>][] =>
  Array.from({ length: items.length / 2 }, (_, i) => [
    toValue(items[2 * i], read),
    toValue(items[2 * i + 1], read),
  ]);

const asText = (bytes: Buffer): string => bytes.toString();
const asBuffer = (bytes: Buffer): Buffer => Buffer.from(bytes);

const readOnly = (): TailraceError =>
  new TailraceError('STORE_READ_ONLY', 'a snapshot or checkpoint cannot be written', {
    remedy: 'Write to the store itself.',
  });

const refused = (command: string, text: string): TailraceError =>
  new TailraceError('COMMAND_REFUSED', text, {
    context: { command },
    remedy: 'Nothing was written; the message is what Redis would answer.',
  });
