import { type DataCommand, dataCommands, type Subcommands } from '../data-model/commands/index.js';
import { helpOf, isHelp } from './command-docs/index.js';
import { checkpointCommands } from './commands/checkpoint-commands.js';
import { clientCommands } from './commands/client-commands.js';
import { commandCommands } from './commands/command-commands.js';
import { compactCommands } from './commands/compact-command.js';
import { compatibilityCommands } from './commands/compatibility-commands.js';
import { configCommands } from './commands/config-commands.js';
import { connectionCommands } from './commands/connection-commands.js';
import { infoCommands } from './commands/info-commands.js';
import { memoryCommands } from './commands/memory-commands.js';
import { moveKeyCommands } from './commands/move-key-command.js';
import { namespaceCommands } from './commands/namespace-commands.js';
import { recordCommands } from './commands/record-commands.js';
import { slotCommands } from './commands/slot-commands.js';
import { slowLogCommands } from './commands/slow-log-commands.js';
import { transactionCommands } from './commands/transaction-commands.js';
import { pubSubCommands } from './pubsub/pubsub-commands.js';
import { writeReply } from './reply-encoding.js';
import type { ServerCommand } from './server-command.js';
import { logCommands } from './updates/log-commands.js';

/** A command as clients see it: one on data, or one of the server. */
export interface TableEntry {
  readonly name: string;
  readonly arity: number;
  /** HELP among them. */
  readonly subcommands: Subcommands | undefined;
  readonly data?: DataCommand;
  readonly server?: ServerCommand;
  /** What a call does is no more than a few microseconds' work, whatever the data. */
  readonly isQuick: boolean;
  calls: number;
  /** Spent in all calls. */
  microseconds: number;
}

/** Every command, by name. */
export class CommandTable {
  readonly #byName = new Map<string, TableEntry>();
  /** The spellings that clients have used; they rarely vary. */
  readonly #bySpelling = new Map<string, TableEntry>();
  /** The command found last, which is often the next one too. */
  #last: { readonly spelling: Buffer; readonly entry: TableEntry } | undefined;

  constructor() {
    for (const command of dataCommands.values()) this.#add(command, { data: withDataHelp(command) });
    for (const command of serverCommands.flat()) this.#add(command, { server: withHelp(command) });
  }

  #add(
    { name, arity, subcommands }: Pick<DataCommand, 'name' | 'arity' | 'subcommands'>,
    command: Pick<TableEntry, 'data' | 'server'>,
  ): void {
    this.#byName.set(name, {
      name,
      arity,
      subcommands: subcommands && new Map([...subcommands, ['help', 2]]),
      ...command,
      isQuick: quickCommands.has(name),
      calls: 0,
      microseconds: 0,
    });
  }

  /** All commands; names in lower case. */
  get entries(): readonly TableEntry[] {
    return [...this.#byName.values()];
  }

  /** Commands carried out so far. */
  get calls(): number {
    let total = 0;
    for (const { calls } of this.#byName.values()) total += calls;
    return total;
  }

  /** Finds a command by its name in any case. Hot: bench `server`. */
  find(name: Buffer): TableEntry | undefined {
    const last = this.#last;
    if (last !== undefined && isEqual(last.spelling, name)) return last.entry;
    if (name.length > maxNameBytes) return undefined;
    const entry = this.#findBySpelling(name.toString('latin1'));
    if (entry !== undefined) this.#last = { spelling: Buffer.from(name), entry };
    return entry;
  }

  #findBySpelling(text: string): TableEntry | undefined {
    const found = this.#bySpelling.get(text);
    if (found !== undefined) return found;
    const entry = this.#byName.get(text.toLowerCase());
    if (entry !== undefined && this.#bySpelling.size < maxSpellings) this.#bySpelling.set(text, entry);
    return entry;
  }
}

/** Commands with subcommands answer HELP. */
const withHelp = (command: ServerCommand): ServerCommand => {
  const lines = helpOf(command.name);
  if (lines === undefined) return command;
  return {
    ...command,
    run: (connection, args) => {
      if (isHelp(args)) writeReply(connection.reply, lines);
      else command.run(connection, args);
    },
  };
};

const withDataHelp = (command: DataCommand): DataCommand => {
  const lines = helpOf(command.name);
  if (lines === undefined) return command;
  return { ...command, run: (context, args) => (isHelp(args) ? lines : command.run(context, args)) };
};

/** Commands on one element of one key. Of those that take more, few are ever sent many of. */
const quickCommands: ReadonlySet<string> = new Set(
  (
    'get set setnx setex psetex append strlen incr decr incrby decrby incrbyfloat exists type ttl pttl expire pexpire ' +
    'lpush rpush lpushx rpushx lpop rpop llen sadd srem sismember scard hset hsetnx hget hdel hexists hlen hincrby ' +
    'hincrbyfloat zadd zincrby zrem zscore zcard getbit setbit pfadd ping'
  ).split(' '),
);

/** For names: a call of Buffer's own comparison costs more. */
const isEqual = (left: Buffer, right: Buffer): boolean => {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
};

const serverCommands: readonly (readonly ServerCommand[])[] = [
  connectionCommands,
  transactionCommands,
  clientCommands,
  commandCommands,
  configCommands,
  infoCommands,
  recordCommands,
  logCommands,
  memoryCommands,
  compactCommands,
  checkpointCommands,
  slotCommands,
  namespaceCommands,
  pubSubCommands,
  slowLogCommands,
  moveKeyCommands,
  compatibilityCommands,
];

const maxNameBytes = 64;
const maxSpellings = 4096;
