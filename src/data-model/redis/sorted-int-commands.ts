import type { Change, SortedIntDelete, SortedIntPut } from '../change.js';
import { endOfRun } from './change-run.js';
import { commandName } from './command-target.js';
import type { KeyCommands } from './key-commands.js';
import type { RedisMapping } from './redis-mapping.js';

/** Told of a change, by its place, that cannot be said in commands, and why. */
type Refuse = (change: number, reason: string) => void;

/**
 * The commands that change sorted ints, which Redis does not have: those of a store that has them, or those of a sorted set
 * whose members are their own scores; or none.
 */
export class SortedIntCommands {
  readonly #commands: KeyCommands;
  readonly #mapping: NonNullable<RedisMapping['sortedInt']>;
  readonly #refuse: Refuse;

  constructor(commands: KeyCommands, mapping: NonNullable<RedisMapping['sortedInt']>, refuse: Refuse) {
    this.#commands = commands;
    this.#mapping = mapping;
    this.#refuse = refuse;
  }

  get isRefused(): boolean {
    return this.#mapping === 'refuse';
  }

  /** Writes the run that begins with `first`; returns the index behind it. */
  add(changes: readonly Change[], from: number, first: SortedIntPut): number {
    const end = endOfRun(changes, from, first);
    if (this.isRefused) return this.#refuseAll(from, end);
    const isNative = this.#mapping === 'native';
    const fitting: string[] = [];
    for (let at = from; at < end; at++) {
      const { id } = changes[at] as SortedIntPut; // by endOfRun
      if (!isNative && id > maxExactScore)
        this.#refuse(at, `the sorted int ${id} exceeds 2^53: a sorted set's score cannot hold it`);
      else fitting.push(String(id));
    }
    if (fitting.length === 0) return end;
    this.#commands.start(isNative ? siadd : zadd, first.key, (isNative ? 1 : 2) * fitting.length);
    const { target } = this.#commands;
    for (const id of fitting) {
      target.text(id);
      if (!isNative) target.text(id);
    }
    return end;
  }

  /** The same for ids that are removed. */
  remove(changes: readonly Change[], from: number, first: SortedIntDelete): number {
    const end = endOfRun(changes, from, first);
    if (this.isRefused) return this.#refuseAll(from, end);
    this.#commands.start(this.#mapping === 'native' ? sirem : zrem, first.key, end - from);
    for (let at = from; at < end; at++)
      this.#commands.target.text(String((changes[at] as SortedIntDelete).id)); // by endOfRun
    return end;
  }

  /** An expiry of one has no place either. */
  refuseExpiry(at: number): void {
    this.#refuse(at, refusedByMapping);
  }

  #refuseAll(from: number, end: number): number {
    for (let at = from; at < end; at++) this.#refuse(at, refusedByMapping);
    return end;
  }
}

const refusedByMapping = 'sorted ints are refused by the mapping';
const maxExactScore = 2n ** 53n;
const siadd = commandName('SIADD');
const sirem = commandName('SIREM');
const zadd = commandName('ZADD');
const zrem = commandName('ZREM');
