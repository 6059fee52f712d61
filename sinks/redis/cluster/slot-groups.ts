import {
  type Change,
  type CommandEncoder,
  isSamePosition,
  type Position,
  positionOf,
  type Rejection,
  type SinkBatch,
  slotOf,
  TailraceError,
  type Transaction,
  type Turns,
} from '../../../src/kit/index.js';

/** What a batch has for one slot, in order. */
export interface SlotGroup {
  readonly slot: number;
  readonly changes: Change[];
  /** For each change, where it stands in the batch. */
  readonly places: { readonly transaction: number; readonly change: number }[];
}

/** Every key of a namespace, or of all (`ns` '*'), is gone as of `seq`. */
export interface ClearedNamespace {
  readonly ns: string;
  readonly seq: number;
}

export interface SlottedBatch {
  /** In the order in which they are to be carried out; before any group. */
  readonly clears: readonly ClearedNamespace[];
  readonly groups: ReadonlyMap<number, SlotGroup>;
  /** The receiver may add to it. */
  readonly rejections: Rejection[];
}

/** What the slots hold, which decides what is left out. */
export interface HeldBySlots {
  /** The last sequence number that a slot has, where that may be ahead of the batches. */
  sequenceOf(slot: number): number;
  /** Positions that some slots were found to be ahead at, by sequence number. */
  readonly ahead: ReadonlyMap<number, Position>;
  /** The sequence number as of which the namespace was cleared; 0 = never. */
  clearedAt(ns: string): number;
}

/**
 * Deals the changes of a batch out to the slots of their keys. Left out is what a slot already has, from a write of
 * this batch (or of one that was cut differently) that did not get to its end.
 *
 * Clears come first: what stands before a clear, and would be removed by it, is left out altogether, so that no order
 * between slots is needed. In turns, where there are many changes.
 */
export const dealOut = async (
  batch: SinkBatch,
  encoder: CommandEncoder,
  held: HeldBySlots,
  turns: Turns,
): Promise<SlottedBatch> => {
  if (held.ahead.size > 0) requireOneHistory(batch.transactions, held.ahead);
  const rejections: Rejection[] = [];
  const clears = findClears(batch, encoder, held, rejections);
  const clearedAt = (ns: string): number =>
    clears.reduce(
      (last, clear) => (clear.ns === ns || clear.ns === '*' ? Math.max(last, clear.seq) : last),
      held.clearedAt(ns),
    );
  const groups = new Map<number, SlotGroup>();
  let ns = '';
  let prefix: Buffer | undefined;
  let clearedBefore = 0;
  for (let at = 0; at < batch.transactions.length; at++) {
    const transaction = batch.transactions[at];
    const { changes } = transaction;
    for (let change = 0; change < changes.length; change++) {
      if (turns.isOverAfterStep()) await turns.next();
      const one = changes[change];
      if (!('key' in one) || one.op === 'propagate') continue;
      if (one.ns !== ns) {
        ns = one.ns;
        prefix = encoder.prefixOf(ns);
        clearedBefore = clearedAt(ns);
      }
      if (prefix === undefined) {
        rejections.push({
          transaction: at,
          change,
          reason: `the namespace ${ns} has no place in the target`,
        });
        continue;
      }
      if (one.seq < clearedBefore) continue;
      const slot = slotOf(prefix.length === 0 ? one.key : Buffer.concat([prefix, one.key]));
      if (transaction.isSnapshot !== true && transaction.last <= held.sequenceOf(slot)) continue;
      let group = groups.get(slot);
      if (group === undefined) {
        group = { slot, changes: [], places: [] };
        groups.set(slot, group);
      }
      group.changes.push(one);
      group.places.push({ transaction: at, change });
    }
  }
  return { clears, groups, rejections };
};

/** The last clear of each namespace of the batch, unless it was carried out before. */
const findClears = (
  batch: SinkBatch,
  encoder: CommandEncoder,
  held: HeldBySlots,
  rejections: Rejection[],
): ClearedNamespace[] => {
  const clears = new Map<string, ClearedNamespace>();
  for (let at = 0; at < batch.transactions.length; at++) {
    const { changes } = batch.transactions[at];
    for (let change = 0; change < changes.length; change++) {
      const one = changes[change];
      if (one.op !== 'clear') continue;
      const reason = refusalOf(one, encoder);
      const ns = one.type === 'all' ? '*' : one.ns;
      if (reason !== undefined) rejections.push({ transaction: at, change, reason });
      else if (one.seq > held.clearedAt(ns)) clears.set(ns, { ns, seq: one.seq });
    }
  }
  return [...clears.values()];
};

const refusalOf = (clear: Change & { op: 'clear' }, encoder: CommandEncoder): string | undefined => {
  if (clear.type === 'slot') return `slot ${clear.slot} is cleared, for which Redis has no command`;
  if (clear.type === 'all') return undefined;
  const prefix = encoder.prefixOf(clear.ns);
  if (prefix === undefined) return `the namespace ${clear.ns} has no place in the target`;
  return prefix.length === 0 && encoder.namespaceCount > 1
    ? `the namespace ${clear.ns} is cleared, whose keys have no prefix to tell them from others`
    : undefined;
};

/** Slots that are ahead must have come there by this very history. @throws `HISTORY_MISMATCH` */
const requireOneHistory = (
  transactions: readonly Transaction[],
  ahead: ReadonlyMap<number, Position>,
): void => {
  for (const { first, last, count, bytes } of transactions) {
    if (count === 0) continue;
    for (const [sequence, position] of ahead) {
      // A position without a count is a step of a snapshot, not a batch of the log.
      if (sequence < first || sequence > last || position.count === 0) continue;
      if (isSamePosition(position, positionOf({ sequence: first, count, bytes }))) continue;
      throw new TailraceError('HISTORY_MISMATCH', `the target holds another history at ${sequence}`, {
        context: { sequence },
        remedy:
          'The source was restored or failed over: start again from a new snapshot into an empty target.',
      });
    }
  }
};
