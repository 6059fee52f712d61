import { type Position, slotOf, type WriteOutcome } from '../../../src/kit/index.js';
import type { ClaimedSlots, ClusterTarget } from './claimed-slots.js';
import { clearedField } from './root-key.js';
import { scanKeys } from './scan-keys.js';
import type { SlotCall } from './slot-calls.js';
import type { ClearedNamespace } from './slot-groups.js';

/**
 * Removes every key of a namespace from every master, but for the pipeline's own, and notes that it is done.
 *
 * @param prefix what the keys of the namespace start with
 * @param common the position that every slot has
 */
export const clearNamespace = async (
  { nodes, root }: ClusterTarget,
  claimed: ClaimedSlots,
  { cleared, prefix, common }: { cleared: ClearedNamespace; prefix: Buffer; common: Position | null },
  signal: AbortSignal,
): Promise<WriteOutcome | undefined> => {
  for await (const keys of scanKeys(nodes, prefix, signal)) {
    const bySlot = new Map<number, Buffer[]>();
    for (const key of keys) {
      if (root.isOwn(key)) continue;
      const slot = slotOf(key);
      const others = bySlot.get(slot);
      if (others === undefined) bySlot.set(slot, [key]);
      else others.push(key);
    }
    const unusable = await claimed.use([...bySlot.keys()], common, signal);
    if (unusable !== undefined) return unusable;
    const calls = [...bySlot].map(([slot, some]) => unlinking(claimed, slot, some));
    const refused = await claimed.apply(calls, undefined, signal);
    if (refused !== undefined) return refused;
  }
  const fields = [`${clearedField}${cleared.ns}`, cleared.seq];
  if (!(await root.set(claimed.epoch, fields, signal))) return claimed.fenced();
  claimed.ledger.cleared(cleared);
  return undefined;
};

const unlinking = (claimed: ClaimedSlots, slot: number, keys: readonly Buffer[]): SlotCall => ({
  slot,
  words: [...claimed.words(slot, keys, undefined), 1 + keys.length, 'UNLINK', ...keys],
});
