import type {
  Change,
  HashDelete,
  HashPut,
  ListPush,
  MemberDelete,
  SetPut,
  SortedSetPut,
  StreamDelete,
} from '../change.js';
import { endOfRun } from './change-run.js';
import { commandName } from './command-target.js';
import type { KeyCommands } from './key-commands.js';
import { scoreText } from './score-text.js';

/**
 * Runs of changes of one kind, op and key as one command each. Every method writes the run that begins with `first`, which stands
 * at `from`, and returns the index behind it; what `endOfRun` holds together is of one kind. Hot; measured by bench `decode`.
 */
export class RunCommands {
  readonly #commands: KeyCommands;

  constructor(commands: KeyCommands) {
    this.#commands = commands;
  }

  putFields(changes: readonly Change[], from: number, first: HashPut): number {
    const end = endOfRun(changes, from, first);
    this.#commands.start(hset, first.key, 2 * (end - from));
    const { target } = this.#commands;
    for (let at = from; at < end; at++) {
      const change = changes[at] as HashPut;
      target.bytes(change.field);
      target.bytes(change.value);
    }
    return end;
  }

  putMembers(changes: readonly Change[], from: number, first: SetPut): number {
    const end = endOfRun(changes, from, first);
    this.#commands.start(sadd, first.key, end - from);
    const { target } = this.#commands;
    for (let at = from; at < end; at++) target.bytes((changes[at] as SetPut).member);
    return end;
  }

  putScores(changes: readonly Change[], from: number, first: SortedSetPut): number {
    const end = endOfRun(changes, from, first);
    this.#commands.start(zadd, first.key, 2 * (end - from));
    const { target } = this.#commands;
    for (let at = from; at < end; at++) {
      const change = changes[at] as SortedSetPut;
      target.text(scoreText(change.score));
      target.bytes(change.member);
    }
    return end;
  }

  push(changes: readonly Change[], from: number, first: ListPush): number {
    let end = endOfRun(changes, from, first);
    for (let at = from + 1; at < end; at++) if ((changes[at] as ListPush).side !== first.side) end = at;
    this.#commands.start(first.side === 'head' ? lpush : rpush, first.key, end - from);
    const { target } = this.#commands;
    for (let at = from; at < end; at++) target.bytes((changes[at] as ListPush).value);
    return end;
  }

  deleteFields(changes: readonly Change[], from: number, first: HashDelete): number {
    const end = endOfRun(changes, from, first);
    this.#commands.start(hdel, first.key, end - from);
    const { target } = this.#commands;
    for (let at = from; at < end; at++) target.bytes((changes[at] as HashDelete).field);
    return end;
  }

  deleteMembers(changes: readonly Change[], from: number, first: MemberDelete): number {
    const end = endOfRun(changes, from, first);
    this.#commands.start(first.type === 'set' ? srem : zrem, first.key, end - from);
    const { target } = this.#commands;
    for (let at = from; at < end; at++) target.bytes((changes[at] as MemberDelete).member);
    return end;
  }

  deleteEntries(changes: readonly Change[], from: number, first: StreamDelete): number {
    const end = endOfRun(changes, from, first);
    this.#commands.start(xdel, first.key, end - from);
    const { target } = this.#commands;
    for (let at = from; at < end; at++) target.text((changes[at] as StreamDelete).id);
    return end;
  }
}

const hset = commandName('HSET');
const hdel = commandName('HDEL');
const sadd = commandName('SADD');
const srem = commandName('SREM');
const zadd = commandName('ZADD');
const zrem = commandName('ZREM');
const lpush = commandName('LPUSH');
const rpush = commandName('RPUSH');
const xdel = commandName('XDEL');
