import { ByteWriter, type Change, type CommandEncoder, type Transaction } from '../../src/kit/index.js';

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
      const { changes } = transactions[transaction];
      const from = changeOfCommand(changes, left, encoder);
      const to = left + 1 < commands ? changeOfCommand(changes, left + 1, encoder) : changes.length;
      return { transaction, from, to, end };
    }
    left -= commands;
  }
  return undefined;
};

/** The first change of the `command`th command. */
const changeOfCommand = (changes: readonly Change[], command: number, encoder: CommandEncoder): number => {
  let low = 0;
  let high = changes.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (countCommands(changes.slice(0, middle + 1), encoder) > command) high = middle;
    else low = middle + 1;
  }
  return low;
};

const countCommands = (changes: readonly Change[], encoder: CommandEncoder): number =>
  encoder.append(new ByteWriter(1024), { changes });
