import { SerialQueue } from '../../files/index.js';
import type { Wal } from '../wal/index.js';
import type { ConsumerSlot, ConsumerSlots } from './consumer-slots.js';

/** For how long a store keeps its log. What any rule keeps stays, up to `maxBytes`. */
export interface RetentionOptions {
  /** Changes younger than this stay, in ms; default 3 hours. */
  readonly keepMs: number;
  /** As many of the newest bytes stay, however old; default 64 MiB. */
  readonly keepBytes: number;
  /** Beyond this size the oldest segments go, whoever holds them, except what recovery needs; default 16 GiB. */
  readonly maxBytes: number;
  /**
   * A slot that was not heard of for so long holds nothing any more, in ms; default 7 days. Of that up to an hour must
   * have passed since the start: who was stopped together with the store can come back.
   */
  readonly maxSlotIdleMs: number;
  /** How often the log is looked at, in ms; default 10 s. */
  readonly intervalMs: number;
  /** Told of what was removed and who lost by it. Default: nobody. */
  readonly onEvent: (event: RetentionEvent) => void;
}

/** What looking after the log has done. */
export type RetentionEvent =
  | { readonly kind: 'removed'; readonly files: readonly string[]; readonly firstSequence: number }
  /** The log no longer has what the slot needs: its consumer gets `WAL_PURGED`. */
  | { readonly kind: 'slot-lost'; readonly slot: ConsumerSlot; readonly firstSequence: number }
  /** Looking after the log failed; it is tried again. */
  | { readonly kind: 'failed'; readonly error: unknown };

/** Someone who needs the log from a sequence number on. */
export interface LogHold {
  readonly holder: 'recovery' | 'age' | 'bytes' | 'slot' | 'checkpoint';
  /** Of the slot or checkpoint. */
  readonly name?: string;
  readonly from: number;
}

/** How the log is kept, for those who look. */
export interface RetentionState {
  /** Everyone who keeps something, the one who needs most first. */
  readonly holds: readonly LogHold[];
  /** Slots whose changes are gone; they hold nothing until they acknowledge what is there. */
  readonly lostSlots: readonly string[];
  readonly keepMs: number;
  readonly maxBytes: number;
}

/** What the retention needs to know of the store. */
export interface RetentionSource {
  /** Everything up to here is in the data file. */
  readonly flushedSequence: number;
  /** The sequence number that was reached at a time. */
  sequenceAt(timeMs: number): number;
  /** Checkpoints that hold the log. */
  checkpointHolds(): readonly LogHold[];
}

/** Three hours and the newest 64 MiB; never more than 16 GiB, whoever needs them. */
export const defaultRetention: RetentionOptions = {
  keepMs: 3 * 60 * 60 * 1000,
  keepBytes: 64 * 1024 * 1024,
  maxBytes: 16 * 1024 ** 3,
  maxSlotIdleMs: 7 * 24 * 60 * 60 * 1000,
  intervalMs: 10_000,
  onEvent: () => undefined,
};

/**
 * Removes whole segments of the log that nobody needs: behind the last flush, older than `keepMs`, beyond the newest
 * `keepBytes`, and before every slot and checkpoint. `maxBytes` goes before all of these but recovery; who loses by it
 * is named in an event, once, and finds `WAL_PURGED`.
 */
export class LogRetention {
  readonly slots: ConsumerSlots;
  readonly #options: RetentionOptions;
  readonly #wal: Wal;
  readonly #source: RetentionSource;
  #lost: ReadonlySet<string>;
  readonly #timer: NodeJS.Timeout;
  readonly #looks = new SerialQueue();
  #isClosed = false;

  constructor(wal: Wal, slots: ConsumerSlots, source: RetentionSource, options: RetentionOptions) {
    this.slots = slots;
    this.#wal = wal;
    this.#source = source;
    this.#options = options;
    this.#lost = new Set(this.#slotsBehindLog().map((slot) => slot.name));
    this.#timer = setInterval(() => {
      this.look().catch((error: unknown) => this.#options.onEvent({ kind: 'failed', error }));
    }, options.intervalMs);
    this.#timer.unref();
  }

  /** Removes now what may go. Returns the paths of the removed files. */
  look(): Promise<string[]> {
    return this.#looks.run(() => this.#look());
  }

  state(): RetentionState {
    return {
      holds: this.#holds().sort((a, b) => a.from - b.from),
      lostSlots: this.#slotsBehindLog().map((slot) => slot.name),
      keepMs: this.#options.keepMs,
      maxBytes: this.#options.maxBytes,
    };
  }

  /** Stores the slots; waits for what is in flight. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#looks.whenIdle();
    if (this.#wal.failure === undefined) await this.slots.save();
  }

  async #look(): Promise<string[]> {
    if (this.#isClosed || this.#wal.failure !== undefined) return [];
    const stored = this.#needed();
    // First the slots: none on disk may name what is gone.
    await this.slots.save();
    const needed = Math.min(stored, this.#needed()); // somebody may have come meanwhile
    const bound = Math.min(this.#firstWithinBound(), this.#source.flushedSequence + 1);
    const files = await this.#wal.removeSegmentsBefore(Math.max(needed, bound));
    const { firstSequence } = this.#wal;
    if (files.length > 0) this.#options.onEvent({ kind: 'removed', files, firstSequence });
    this.#tellLost(firstSequence);
    return files;
  }

  #tellLost(firstSequence: number): void {
    const lost = this.#slotsBehindLog();
    for (const slot of lost)
      if (!this.#lost.has(slot.name)) this.#options.onEvent({ kind: 'slot-lost', slot, firstSequence });
    this.#lost = new Set(lost.map((slot) => slot.name));
  }

  /** The first sequence number that anyone needs. */
  #needed(): number {
    return Math.min(...this.#holds().map((hold) => hold.from));
  }

  #holds(): LogHold[] {
    const nowMs = Date.now();
    const { keepMs, keepBytes, maxSlotIdleMs } = this.#options;
    const holds: LogHold[] = [
      { holder: 'recovery', from: this.#source.flushedSequence + 1 },
      { holder: 'age', from: this.#source.sequenceAt(nowMs - keepMs) + 1 },
      { holder: 'bytes', from: this.#firstOfNewest(keepBytes) },
      ...this.#source.checkpointHolds(),
    ];
    const { firstSequence } = this.#wal;
    for (const { name, acknowledged, seenMs } of this.slots.list()) {
      const isGone =
        seenMs < nowMs - maxSlotIdleMs && this.slots.unheardMs(name) > Math.min(maxSlotIdleMs, returnMs);
      // The acknowledged batch itself stays: by it the consumer knows the history again.
      if (!isGone && acknowledged + 1 >= firstSequence)
        holds.push({ holder: 'slot', name, from: Math.max(1, acknowledged) });
    }
    return holds;
  }

  #slotsBehindLog(): ConsumerSlot[] {
    const { firstSequence } = this.#wal;
    return this.slots.list().filter((slot) => slot.acknowledged + 1 < firstSequence);
  }

  /** First sequence number of the newest segments that are at least `bytes` long together. */
  #firstOfNewest(bytes: number): number {
    const { segments } = this.#wal;
    let total = 0;
    for (let i = segments.length - 1; i >= 0; i--) {
      if (total >= bytes) return segments[i + 1]?.firstSequence ?? this.#wal.nextSequence;
      total += segments[i].durableBytes;
    }
    return 1;
  }

  /** First sequence number of the newest segments that together do not exceed `maxBytes`. */
  #firstWithinBound(): number {
    const { segments } = this.#wal;
    let total = 0;
    for (let i = segments.length - 1; i >= 0; i--) {
      total += segments[i].durableBytes;
      if (total > this.#options.maxBytes) return segments[i].lastSequence + 1;
    }
    return 1;
  }
}

/** How long consumers have to come back after a stop of days, or after the clock was set ahead. */
const returnMs = 60 * 60 * 1000;
