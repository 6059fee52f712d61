import {
  ByteWriter,
  type Change,
  type CommandEncoder,
  type Transaction,
  WholeKeys,
} from '../../src/kit/index.js';

/** The changes that one command of a batch carries out: of one transaction, or one of each of several that fold. */
export interface CommandPlace {
  readonly transaction: number;
  /** First and behind the last change of `transaction`. */
  readonly from: number;
  readonly to: number;
  /** Behind the last transaction. */
  readonly end: number;
}

/**
 * The changes behind the `command`th command of a batch. Only asked when a command was refused, so it encodes again
 * rather than burden the encoder with bookkeeping: the number of commands of a transaction's first n changes never
 * falls with n, so the changes are found by halving.
 */
export const placeOfCommand = (
  transactions: readonly Transaction[],
  command: number,
  encoder: CommandEncoder,
): CommandPlace | undefined => {
  const out = new ByteWriter(1024);
  let left = command;
  let end = 0;
  for (let transaction = 0; transaction < transactions.length; transaction = end) {
    end = encoder.appendNext(out, transactions, transaction);
    out.clear();
    const { commands } = encoder;
    if (left < commands) {
      const named = transactions[transaction];
      if (named instanceof WholeKeys) return { transaction, ...keysOfCommand(named, left, encoder), end };
      const { changes } = named;
      const from = changeOfCommand(changes, left, encoder);
      const to = left + 1 < commands ? changeOfCommand(changes, left + 1, encoder) : changes.length;
      return { transaction, from, to, end };
    }
    left -= commands;
  }
  return undefined;
};

/** The changes of the key that the `command`th command is for, or of the keys that fold into it. */
const keysOfCommand = (
  keys: WholeKeys,
  command: number,
  encoder: CommandEncoder,
): Pick<CommandPlace, 'from' | 'to'> => {
  const countBefore = (key: number): number => encoder.append(new ByteWriter(1024), keys.take(key));
  const first = firstAt(keys.keys, (key) => countBefore(key + 1) > command);
  const behind = countBefore(first + 1);
  const last = firstAt(keys.keys, (key) => countBefore(key + 1) > behind);
  return { from: keys.take(first).changes.length, to: keys.take(Math.max(first + 1, last)).changes.length };
};

/** The least number below `end` of which it is true, and of every greater one; `end` when there is none. */
const firstAt = (end: number, isReached: (at: number) => boolean): number => {
  let low = 0;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
};

/** The first change of the `command`th command. */
const changeOfCommand = (changes: readonly Change[], command: number, encoder: CommandEncoder): number =>
  firstAt(changes.length - 1, (at) => countCommands(changes.slice(0, at + 1), encoder) > command);

const countCommands = (changes: readonly Change[], encoder: CommandEncoder): number =>
  encoder.append(new ByteWriter(1024), { changes });
