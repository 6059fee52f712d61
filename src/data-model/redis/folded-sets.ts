import type { Change, WholeValuePut } from '../change.js';
import { StringPutTransaction } from '../decode/string-put-transaction.js';
import { WholeKeys } from '../key-records/whole-keys.js';
import { type CommandTarget, commandName } from './command-target.js';

/** Elements in one command that several changes fold into: beyond it the target would be busy too long at a time. */
export const maxFolded = 1000;
export const maxFoldedBytes = 1024 * 1024;

export const mset = commandName('MSET');

/** A SET without an expiry. */
export const isPlainSet = (change: Change): change is WholeValuePut =>
  change.op === 'put' && change.type === 'string' && change.ttlAt === undefined;

type Foldable = { readonly changes: readonly Change[] };

/**
 * Plain SETs that follow each other, each a transaction of its own, as one MSET. Where a transaction is nothing but a
 * string put, key and value are copied by their places. Hot; measured by bench `redis-sink`.
 */
export class FoldedSets {
  readonly #prefixes: ReadonlyMap<string, Buffer>;

  /** @param prefixes what the keys of each namespace start with */
  constructor(prefixes: ReadonlyMap<string, Buffer>) {
    this.#prefixes = prefixes;
  }

  /** How many transactions from `from` on fold into one command. 0 when there is none or only one. */
  count(transactions: readonly Foldable[], from: number): number {
    let bytes = 0;
    let at = from;
    for (; at < transactions.length && at - from < maxFolded && bytes < maxFoldedBytes; at++) {
      const valueBytes = this.#plainValueBytes(transactions[at]);
      if (valueBytes < 0) break;
      bytes += valueBytes;
    }
    return at - from > 1 ? at - from : 0;
  }

  /** Writes transactions that `count` has counted. */
  write(transactions: readonly Foldable[], from: number, count: number, target: CommandTarget): void {
    target.start(mset, 1 + 2 * count);
    let prefixNs = '';
    let prefix: Buffer = noBytes;
    for (let at = from; at < from + count; at++) {
      const transaction = transactions[at];
      const put = transaction instanceof StringPutTransaction ? transaction : plainSetOf(transaction);
      if (put.ns !== prefixNs) {
        prefixNs = put.ns;
        prefix = this.#prefixes.get(prefixNs) ?? noBytes;
      }
      if (put instanceof StringPutTransaction) {
        const { bytes, keyStart, keyEnd } = put;
        if (prefix.length === 0) target.slice(bytes, keyStart, keyEnd);
        else target.bytes(Buffer.concat([prefix, bytes.subarray(keyStart, keyEnd)]));
        target.slice(bytes, put.valueStart, put.valueEnd);
      } else {
        target.bytes(prefix.length === 0 ? put.key : Buffer.concat([prefix, put.key]));
        target.bytes(put.value);
      }
    }
  }

  /** Length of the value when the transaction is a plain SET and nothing else, −1 otherwise. */
  #plainValueBytes(transaction: Foldable): number {
    if (transaction instanceof StringPutTransaction)
      return transaction.ttlAt === undefined && this.#prefixes.has(transaction.ns)
        ? transaction.valueEnd - transaction.valueStart
        : -1;
    if (transaction instanceof WholeKeys) return -1; // they fold by themselves
    const { changes } = transaction;
    if (changes.length !== 1) return -1;
    const [change] = changes;
    return isPlainSet(change) && this.#prefixes.has(change.ns) ? change.value.length : -1;
  }
}

const plainSetOf = ({ changes: [change] }: Foldable): WholeValuePut => {
  if (!isPlainSet(change)) throw new RangeError('not a plain SET');
  return change;
};

const noBytes = Buffer.alloc(0);
