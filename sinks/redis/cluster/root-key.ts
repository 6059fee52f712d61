import { type Position, type Reply, ReplyError, TailraceError } from '../../../src/kit/index.js';
import type { ClearedNamespace } from './slot-groups.js';

/** What the root key of a pipeline holds. */
export interface RootState {
  readonly epoch: number;
  /** The epoch of the claim that made the key. */
  readonly born: number;
  /** Every slot has what stands up to here. */
  readonly position: Position | null;
  /** A bit for each slot that has a position key; may be empty. */
  readonly used: Buffer;
  readonly cleared: readonly ClearedNamespace[];
}

/**
 * The key in a cluster that says who may write, and up to where every slot is written. A hash:
 *
 *   epoch, owner           raised by each claim; a token of the claimant
 *   born                   the epoch that made the key
 *   sequence, count, crc   the position; absent until the first batch
 *   slots                  a bit for each slot that has a key of its own (2 KiB)
 *   cleared:<namespace>    sequence number of the last clear that was carried out; `*` = all namespaces
 */
export const readRoot = (key: string, reply: Reply | undefined): RootState => {
  if (reply instanceof ReplyError) throw reply;
  const pairs = Array.isArray(reply) ? reply : [];
  const fields = new Map<string, Buffer>();
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const value = pairs[at + 1];
    if (value instanceof Buffer) fields.set(String(pairs[at]), value);
  }
  const number = (field: string): number | undefined => {
    const digits = fields.get(field)?.toString();
    if (digits === undefined) return undefined;
    const value = Number(digits);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw new TailraceError(
      'OFFSETS_CORRUPT',
      `the field ${field} of ${key} holds ${JSON.stringify(digits)}`,
      {
        context: { key, field },
        remedy: 'Something else writes to this key: give the pipeline another name or positionKey.',
      },
    );
  };
  const [sequence, count, crc] = [number('sequence'), number('count'), number('crc')];
  const cleared = [...fields.keys()]
    .filter((field) => field.startsWith(clearedField))
    .map((field) => ({ ns: field.slice(clearedField.length), seq: number(field) ?? 0 }));
  return {
    epoch: number('epoch') ?? 0,
    born: number('born') ?? 0,
    position: sequence && count !== undefined && crc !== undefined ? { sequence, count, crc } : null,
    used: fields.get('slots') ?? Buffer.alloc(0),
    cleared,
  };
};

export const clearedField = 'cleared:';
