import type { ByteWriter } from '../../resp/index.js';
import type { Change } from '../change.js';
import { WholeKeys } from '../key-records/whole-keys.js';
import { ArrayCommandTarget, type RedisCommand, RespCommandTarget } from './command-target.js';
import { FoldedSets } from './folded-sets.js';
import { RedisCommandWriter } from './redis-command-writer.js';
import type { EncodedCommands, RedisMapping, UnsupportedChange } from './redis-mapping.js';
import { WholeKeysWriter } from './whole-keys-writer.js';

/**
 * Writes the Redis commands that bring about a transaction's changes, as RESP, at the end of a buffer.
 * Consecutive changes of one kind and key become one command. Measured by bench `decode`.
 *
 * @example
 * const encoder = new CommandEncoder();
 * const commands = encoder.append(out, transaction); // so many replies will come
 * if (encoder.unsupported.length > 0) refuse(encoder.unsupported);
 */
export class CommandEncoder {
  readonly #writer: RedisCommandWriter;
  readonly #folded: FoldedSets | undefined;
  readonly #mapping: RedisMapping;
  #last: EncodedCommands = { commands: 0, unsupported: [], flushes: false };

  constructor(mapping: RedisMapping = {}) {
    this.#writer = new RedisCommandWriter(mapping);
    this.#mapping = mapping;
    this.#folded = mapping.foldSets ? new FoldedSets(this.#writer.prefixes) : undefined;
  }

  /** Appends the commands; returns how many. Then `unsupported` and `flushes` tell about this transaction. */
  append(out: ByteWriter, transaction: { readonly changes: readonly Change[] }): number {
    const prefix = transaction instanceof WholeKeys ? this.prefixOf(transaction.ns) : undefined;
    if (transaction instanceof WholeKeys && prefix !== undefined) {
      const writer = new WholeKeysWriter(out, prefix, this.#mapping);
      this.#last = { commands: writer.write(transaction), unsupported: [], flushes: false };
    } else this.#last = this.#writer.write(transaction.changes, new RespCommandTarget(out));
    return this.#last.commands;
  }

  /**
   * Appends the commands of the transaction at `from`, and with `foldSets` of those behind it that fold into the same
   * command. Returns the index behind them; then `commands`, `unsupported` and `flushes` tell about them.
   */
  appendNext(
    out: ByteWriter,
    transactions: readonly { readonly changes: readonly Change[] }[],
    from: number,
  ): number {
    const folding = this.#folded?.count(transactions, from) ?? 0;
    if (folding === 0) {
      this.append(out, transactions[from]);
      return from + 1;
    }
    this.#folded?.write(transactions, from, folding, new RespCommandTarget(out));
    this.#last = oneCommand;
    return from + folding;
  }

  /**
   * Appends the commands of the changes from `from` on, up to the end of the command that reaches or goes beyond `to`.
   * Returns the index behind them; then `commands`, `unsupported` and `flushes` tell about them. All parts together are
   * what `append` writes of changes that are not whole keys.
   */
  appendPart(out: ByteWriter, changes: readonly Change[], from: number, to: number): number {
    this.#last = this.#writer.write(changes, new RespCommandTarget(out), from, to);
    return this.#writer.end;
  }

  /** How many commands the last transactions became: how many replies will come. */
  get commands(): number {
    return this.#last.commands;
  }

  /** The commands as arrays of words, for targets that want them in another form; otherwise as `append`. */
  toWords(transaction: { readonly changes: readonly Change[] }): readonly RedisCommand[] {
    const target = new ArrayCommandTarget();
    this.#last = this.#writer.write(transaction.changes, target);
    return target.commands;
  }

  /** What the keys of a namespace start with in the target; undefined when it has no place there. */
  prefixOf(ns: string): Buffer | undefined {
    return this.#writer.prefixes.get(ns);
  }

  /** How many namespaces have a place in the target. */
  get namespaceCount(): number {
    return this.#writer.prefixes.size;
  }

  /** Changes of the last transaction for which no command was written: the target cannot take them. */
  get unsupported(): readonly UnsupportedChange[] {
    return this.#last.unsupported;
  }

  /** True when the last transaction flushes the database: whatever else the target keeps in it goes too. */
  get flushes(): boolean {
    return this.#last.flushes;
  }

  /** The keys that the changes touch in the target, in order; a key that stands several times in a row, once. */
  touchedKeys(transaction: { readonly changes: readonly Change[] }): Uint8Array[] {
    const keys: Uint8Array[] = [];
    let last: Uint8Array | undefined;
    for (const change of transaction.changes) {
      if (!('key' in change) || change.key === last || change.op === 'propagate') continue;
      last = change.key;
      const prefix = this.#writer.prefixes.get(change.ns);
      if (prefix !== undefined) keys.push(prefix.length === 0 ? last : Buffer.concat([prefix, last]));
    }
    return keys;
  }
}

const oneCommand: EncodedCommands = { commands: 1, unsupported: [], flushes: false };

/** The Redis commands that bring about changes, as arrays of words. */
export const toRedisCommands = (
  transaction: { readonly changes: readonly Change[] },
  mapping: RedisMapping = {},
): { readonly commands: readonly RedisCommand[]; readonly unsupported: readonly UnsupportedChange[] } => {
  const target = new ArrayCommandTarget();
  const { unsupported } = new RedisCommandWriter(mapping).write(transaction.changes, target);
  return { commands: target.commands, unsupported };
};
