import { isSamePosition, type Position, slotCount } from '../../../src/kit/index.js';
import type { ClearedNamespace, HeldBySlots } from './slot-groups.js';

/**
 * What this process knows of each slot since its claim. Maintained: `sequenceOf` is what the slot's key in the target
 * holds, as long as nobody else has claimed; a slot is `used` when the root key says so and its key
 * is claimed, before it is written.
 */
export class SlotLedger implements HeldBySlots {
  readonly ahead = new Map<number, Position>();
  readonly #sequences = new Float64Array(slotCount);
  readonly #used: Buffer;
  readonly #cleared = new Map<string, number>();

  /** @param used a bit for each slot, as the root key has it; empty for none */
  constructor(used: Buffer) {
    this.#used = Buffer.alloc(slotCount / 8);
    used.copy(this.#used);
  }

  /** A bit for each slot that is used, and for those that are about to be. Owned. */
  usedBitsWith(fresh: readonly number[]): Buffer {
    const bits = Buffer.from(this.#used);
    for (const slot of fresh) bits[slot >>> 3] |= 1 << (slot & 7);
    return bits;
  }

  get usedSlots(): number[] {
    return Array.from({ length: slotCount }, (_, slot) => slot).filter((slot) => this.isUsed(slot));
  }

  isUsed(slot: number): boolean {
    return (this.#used[slot >>> 3] & (1 << (slot & 7))) !== 0;
  }

  use(slot: number): void {
    this.#used[slot >>> 3] |= 1 << (slot & 7);
  }

  sequenceOf(slot: number): number {
    return this.#sequences[slot];
  }

  /** What a claim found in a slot. */
  found(slot: number, position: Position | null): void {
    this.#sequences[slot] = position?.sequence ?? 0;
  }

  /** Slots that are beyond the common position were written by a batch that did not get to its end. */
  noteAhead(positions: Iterable<Position>, common: Position | null): void {
    for (const position of positions)
      if (position.sequence > (common?.sequence ?? 0) && !isSamePosition(position, common))
        this.ahead.set(position.sequence, position);
  }

  wrote(slot: number, position: Position): void {
    this.#sequences[slot] = position.sequence;
  }

  /** Every slot has the batches up to here. */
  reached({ sequence }: Position): void {
    for (const ahead of this.ahead.keys()) if (ahead <= sequence) this.ahead.delete(ahead);
  }

  clearedAt(ns: string): number {
    return Math.max(this.#cleared.get(ns) ?? 0, this.#cleared.get('*') ?? 0);
  }

  cleared({ ns, seq }: ClearedNamespace): void {
    this.#cleared.set(ns, seq);
  }
}
