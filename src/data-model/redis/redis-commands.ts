import type { ByteWriter } from '../../resp/index.js';
import type { Change } from '../change.js';
import { ArrayCommandTarget, type RedisCommand, RespCommandTarget } from './command-target.js';
import { RedisCommandWriter } from './redis-command-writer.js';
import type { EncodedCommands, RedisMapping, UnsupportedChange } from './redis-mapping.js';

/**
 * Writes the Redis commands that bring about changes, as RESP, at the end of a buffer. Consecutive changes of
 * one kind and key become one command. Measured by bench `decode`.
 *
 * @example
 * const encoder = new RedisEncoder();
 * const out = new ByteWriter();
 * const { commands } = encoder.encode(transaction.changes, out);
 * socket.write(out.take()); // then expect that many replies
 */
export class RedisEncoder {
  readonly #writer: RedisCommandWriter;

  constructor(mapping: RedisMapping = {}) {
    this.#writer = new RedisCommandWriter(mapping);
  }

  encode(changes: readonly Change[], out: ByteWriter): EncodedCommands {
    return this.#writer.write(changes, new RespCommandTarget(out));
  }

  /** The keys that the changes touch in the target, in order, each as often as it is touched in a row. */
  touchedKeys(changes: readonly Change[]): Uint8Array[] {
    const keys: Uint8Array[] = [];
    let last: Uint8Array | undefined;
    for (const change of changes) {
      if (!('key' in change) || change.key === last || change.op === 'propagate') continue;
      last = change.key;
      const prefix = this.#writer.prefixOf(change.ns);
      if (prefix !== undefined) keys.push(prefix.length === 0 ? last : Buffer.concat([prefix, last]));
    }
    return keys;
  }
}

/** The Redis commands that bring about changes, as arrays of words. */
export const toRedisCommands = (
  changes: readonly Change[],
  mapping: RedisMapping = {},
): { readonly commands: readonly RedisCommand[]; readonly unsupported: readonly UnsupportedChange[] } => {
  const target = new ArrayCommandTarget();
  const { unsupported } = new RedisCommandWriter(mapping).write(changes, target);
  return { commands: target.commands, unsupported };
};
