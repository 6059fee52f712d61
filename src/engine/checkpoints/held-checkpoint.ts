import type { Snapshot } from '../engine-api.js';
import type { StoreData } from '../store-data.js';
import type { HeldState } from '../tree/index.js';
import { type Checkpoint, type CheckpointEntry, type CheckpointInfo, isExpired } from './checkpoint.js';

/** A checkpoint, and what keeps its data: pages once all of it is in the trees, memtables until then. */
export class HeldCheckpoint {
  entry: CheckpointEntry;
  readonly #data: StoreData;
  #pages: HeldState | undefined;
  /** Reads it until there are pages. */
  #snapshot: Snapshot | undefined;

  private constructor(data: StoreData, entry: CheckpointEntry, pages?: HeldState, snapshot?: Snapshot) {
    this.#data = data;
    this.entry = entry;
    this.#pages = pages;
    this.#snapshot = snapshot;
  }

  /** One that was made before the store was opened. Without pages, a log that is whole makes them anew. */
  static reopened(data: StoreData, entry: CheckpointEntry, pages: HeldState | undefined): HeldCheckpoint {
    return pages === undefined
      ? new HeldCheckpoint(data, publicPart(entry))
      : new HeldCheckpoint(data, entry, { ...pages, pin: pages.pin.retain() });
  }

  /** One of the newest data: what is in memory is frozen, and flushed in the background. */
  static atNewest(data: StoreData, entry: Checkpoint): HeldCheckpoint {
    const { sequence } = entry;
    data.freezeAt(sequence);
    const made = new HeldCheckpoint(data, publicPart(entry));
    if (data.trees !== undefined && data.isFlushedTo(sequence)) made.settle();
    else made.freeze();
    return made;
  }

  /** One that shows the very data of this one. */
  copied(common: Omit<Checkpoint, 'sequence'>): HeldCheckpoint {
    const { sequence, state, bytes } = this.entry;
    const entry = { ...common, sequence };
    if (this.#pages === undefined)
      return new HeldCheckpoint(this.#data, entry, undefined, this.#data.frozenSnapshot(sequence));
    return HeldCheckpoint.reopened(
      this.#data,
      { ...entry, ...(state && { state }), ...(bytes !== undefined && { bytes }) },
      this.#pages,
    );
  }

  /** The pages of it, once all of it is there. */
  get pages(): HeldState | undefined {
    return this.#pages;
  }

  /** False for one that is to be made anew from the log. */
  get isThere(): boolean {
    return this.#pages !== undefined || this.#snapshot !== undefined;
  }

  /** The memtables were frozen at its sequence number: it is read from them. */
  freeze(): void {
    this.#snapshot = this.#data.frozenSnapshot(this.entry.sequence);
  }

  /** All of it is in the newest state of the trees now. */
  settle(): void {
    const { trees } = this.#data;
    if (trees === undefined) return;
    this.#pages = trees.hold();
    const bytes = trees.space.liveUnits * trees.space.unitBytes;
    this.entry = { ...this.entry, state: trees.state, bytes };
    this.#snapshot?.close();
    this.#snapshot = undefined;
  }

  /** Reads it; whoever reads closes what this returns. */
  open(): Snapshot {
    return this.#pages === undefined
      ? this.#data.frozenSnapshot(this.entry.sequence)
      : this.#data.stateSnapshot(this.#pages);
  }

  /** Lets go of what it held. */
  release(): void {
    if (this.#pages !== undefined) this.#data.trees?.release(this.#pages);
    this.#snapshot?.close();
    this.#pages = undefined;
    this.#snapshot = undefined;
  }

  describe(nowMs: number): CheckpointInfo {
    const { entry } = this;
    const space = this.#data.trees?.space;
    return {
      ...publicPart(entry),
      state: isExpired(entry, nowMs) ? 'expired' : 'live',
      isWritten: this.#pages !== undefined,
      entries: entry.state?.roots.reduce((total, root) => total + root.entries, 0) ?? null,
      bytes: entry.bytes ?? null,
      uniqueBytes:
        this.#pages === undefined || space === undefined
          ? null
          : space.uniqueUnits(this.#pages.pin) * space.unitBytes,
    };
  }
}

/** What the users of checkpoints see of one. */
export const publicPart = (entry: CheckpointEntry): Checkpoint => {
  const { state: _, bytes: __, ...fields } = entry;
  return fields;
};
