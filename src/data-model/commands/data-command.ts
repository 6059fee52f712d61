import type { ValueType } from '../change.js';
import { parseDouble } from './arguments.js';
import type { CommandContext } from './command-context.js';
import { ErrorReply, type Reply, wrongArity } from './reply.js';

/**
 * Where the keys are among a command's arguments, as Redis' COMMAND tells it: positions count the name as 0,
 * a negative `last` counts from the end. `numbered`: the argument at this position tells how many keys follow, each `step`
 * (or 1) behind the one before.
 */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly numbered?: number;
}

/**
 * How a command waits. `run` tries once and answers null or a null array when there is nothing yet; then the
 * server runs it again when one of its keys was written, until the time is over. In a transaction nothing waits.
 */
export interface Wait {
  /** ms to wait, 0 = without end; undefined when this call doesn't wait; a refusal for a bad timeout. */
  readonly timeoutMs: (args: readonly Buffer[]) => number | undefined | ErrorReply;
  /** The arguments to try again with, where they mean the moment of the call (XREAD's `$`). Owned. */
  readonly retryArgs?: (context: CommandContext, args: readonly Buffer[]) => readonly Buffer[];
  /** A key of another type is as good as none: the call waits on. Absent: it is run again, and its refusal answered. */
  readonly type?: ValueType;
  /** The keys to wait for, where they are not all that the call names. Borrows `args`. */
  readonly keysOf?: (args: readonly Buffer[]) => readonly Buffer[];
}

/** One command on data: its place in the command table, and the function that carries it out. */
export interface DataCommand {
  /** lower case */
  readonly name: string;
  /** Number of arguments with the name; negative: at least that many. */
  readonly arity: number;
  readonly subcommands?: Subcommands | undefined;
  readonly isWrite: boolean;
  readonly keys: KeyPositions;
  /** The keys of a call, where options name some that `keys` can't tell. Borrows `args`. */
  readonly keysOf?: (args: readonly Buffer[]) => readonly Buffer[];
  /** Set for commands that may wait (BLPOP, XREAD BLOCK …). */
  readonly wait?: Wait;
  /**
   * Carries it out: `args[0]` is the name; arity was checked by the caller. Borrows `args`.
   * Refusals are replies; what is thrown is damage of the store or a bug.
   * The reply borrows from the store: encode it before the next read or commit, which may be that of the command's own batch.
   */
  readonly run: (context: CommandContext, args: readonly Buffer[]) => Reply;
  /**
   * Set for reads that look at every key: the same as `run`, but it yields now and then, so that a server can give
   * others their turn. The context must read a snapshot.
   */
  readonly steps?: (context: CommandContext, args: readonly Buffer[]) => ReplySteps;
}

/** A command under way: each `next` does a part of the work, about a millisecond's. The reply is owned. */
export type ReplySteps = Generator<undefined, Reply, undefined>;

type Run = DataCommand['run'];

export const noKeys: KeyPositions = { first: 0, last: 0, step: 0 };
export const oneKey: KeyPositions = { first: 1, last: 1, step: 1 };
export const twoKeys: KeyPositions = { first: 1, last: 2, step: 1 };
export const allKeys: KeyPositions = { first: 1, last: -1, step: 1 };
/** `count key [key …]` from this position on */
export const numberedKeys = (position: number): KeyPositions => ({
  first: 0,
  last: 0,
  step: 0,
  numbered: position,
});

/** Whether a call, its name included, has as many words as the arity of its command asks for. */
export const fitsArity = (arity: number, args: readonly Buffer[]): boolean =>
  arity > 0 ? args.length === arity : args.length >= -arity;

/** Subcommands in lower case, each with the arity of its calls. */
export type Subcommands = ReadonlyMap<string, number>;

/** From pairs such as `get -3 resetstat 2`. */
export const parseSubcommands = (pairs: string): Subcommands =>
  new Map([...pairs.matchAll(/(\S+) (-?\d+)/g)].map(([, name, arity]) => [name, Number(arity)]));

/** What is wrong with the number of words of a call, or with its subcommand: told before it runs or is queued. */
export const wrongWords = (
  { name, arity, subcommands }: Pick<DataCommand, 'name' | 'arity' | 'subcommands'>,
  args: readonly Buffer[],
): ErrorReply | undefined => {
  if (!fitsArity(arity, args)) return wrongArity(name);
  if (subcommands === undefined || args.length === 1) return undefined;
  const word = args[1].toString('latin1').toLowerCase();
  const arityOfWord = subcommands.get(word);
  if (arityOfWord === undefined)
    return new ErrorReply(
      `ERR unknown subcommand '${args[1].toString('utf8', 0, 128)}'. Try ${name.toUpperCase()} HELP.`,
    );
  return fitsArity(arityOfWord, args) ? undefined : wrongArity(`${name}|${word}`);
};

export const readCommand = (name: string, arity: number, keys: KeyPositions, run: Run): DataCommand => ({
  name,
  arity,
  isWrite: false,
  keys,
  run,
});

/** A read of every key, in steps. */
export const steppedCommand = (
  name: string,
  arity: number,
  steps: (context: CommandContext, args: readonly Buffer[]) => ReplySteps,
): DataCommand => ({
  name,
  arity,
  isWrite: false,
  keys: noKeys,
  steps,
  run: (context, args) => {
    const walk = steps(context, args);
    for (;;) {
      const step = walk.next();
      if (step.done) return step.value;
    }
  },
});

export const writeCommand = (name: string, arity: number, keys: KeyPositions, run: Run): DataCommand => ({
  name,
  arity,
  isWrite: true,
  keys,
  run,
});

/** A command that changes data and may wait for it. */
export const blockingCommand = (
  name: string,
  arity: number,
  keys: KeyPositions,
  wait: Wait,
  run: Run,
): DataCommand => ({ name, arity, isWrite: true, keys, wait, run });

/** Waits for a key of this type; the timeout in seconds stands at a position among the arguments, negative from the end. */
export const waitsSecondsAt = (position: number, type: ValueType): Wait => ({
  type,
  timeoutMs: (args) => {
    const word = args.at(position);
    const seconds = word === undefined ? undefined : parseDouble(word);
    if (seconds === undefined || !Number.isFinite(seconds))
      return new ErrorReply('ERR timeout is not a float or out of range');
    if (seconds < 0) return new ErrorReply('ERR timeout is negative');
    return seconds >= longestWaitSeconds ? new ErrorReply('ERR timeout is out of range') : seconds * 1000;
  },
});

/** More milliseconds than 63 bits hold are a mistake, and would be a wait without end. */
const longestWaitSeconds = 2 ** 63 / 1000;

/** The keys that a call names. Borrows `args`. */
export const keysOfCall = (
  { keys, keysOf }: Pick<DataCommand, 'keys' | 'keysOf'>,
  args: readonly Buffer[],
): readonly Buffer[] => {
  if (keysOf !== undefined) return keysOf(args);
  const found: Buffer[] = [];
  const collect = (first: number, last: number, step: number): void => {
    for (let i = first; i <= last && i < args.length; i += step) found.push(args[i]);
  };
  if (keys.first > 0) collect(keys.first, keys.last < 0 ? args.length + keys.last : keys.last, keys.step);
  if (keys.numbered !== undefined) {
    const count = Number(args[keys.numbered]?.toString('latin1'));
    const step = Math.max(1, keys.step);
    if (Number.isInteger(count)) collect(keys.numbered + 1, keys.numbered + count * step, step);
  }
  return found;
};
