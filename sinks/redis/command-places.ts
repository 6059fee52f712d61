import { ByteWriter, type Change, type CommandEncoder, type Transaction } from '../../src/kit/index.js';

/** The changes that one command of a batch carries out: `from` to `to` (exclusive) of a transaction. */
export interface CommandPlace {
  readonly transaction: number;
  readonly from: number;
  readonly to: number;
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
  let left = command;
  for (let transaction = 0; transaction < transactions.length; transaction++) {
    const { changes } = transactions[transaction];
    const commands = countCommands(changes, encoder);
    if (left < commands) {
      const from = changeOfCommand(changes, left, encoder);
      const to = left + 1 < commands ? changeOfCommand(changes, left + 1, encoder) : changes.length;
      return { transaction, from, to };
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
