import type { KeptParts } from './kept-parts.js';
import { isGone, type KeyImage } from './key-image.js';
import { type KeyPlace, placeOfName } from './key-place.js';
import type { KeyPart, PartLimit } from './key-reader.js';
import { type MigrationOptions, patientRetry } from './migration-options.js';
import { packPart, unpackPart } from './packed-part.js';
import { RateLimit } from './rate-limit.js';
import { whileUnreachable } from './while-unreachable.js';

/**
 * Reads the parts of a migration, at the pace that is allowed and however often the source is gone. A part of the walk is kept
 * on disk before anybody has it and before the next one is asked for: a process that is started again reads it there, so that
 * the source reads no more than one part twice.
 *
 * When a part has come that is of one moment, the next is asked for at once: the source reads it while the one before is
 * looked through and encoded. Without that the two wait for each other in turn. Measured by bench `migrate`.
 */
export class PartReader {
  readonly #options: MigrationOptions;
  readonly #kept: KeptParts | undefined;
  readonly #rate: RateLimit;
  /** The part that nobody has asked for yet, and what it begins behind. */
  #ahead: { readonly after: KeyPlace; readonly part: Promise<KeyPart> } | undefined;
  /** Parts of the walk that were read of the source. */
  parts = 0;

  /** @param kept undefined for a source that is read at no cost */
  constructor(options: MigrationOptions, kept: KeptParts | undefined) {
    this.#options = options;
    this.#kept = kept;
    this.#rate = new RateLimit(options.rates ?? { keysPerSecond: 0, bytesPerSecond: 0 });
  }

  /** The part of the walk behind `after`, with pending keys besides; the log having been read to `logSequence`. */
  async readWalk(
    after: KeyPlace | undefined,
    pending: readonly string[],
    logSequence: number,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    const part =
      (await this.#takeAhead(after)) ?? (await this.#readPart(after, pending, logSequence, signal));
    const end = part.walk?.end;
    // With pending keys the next one is read when it is asked for, and they with it.
    if (end !== undefined && pending.length === 0 && this.#mayGoOn(part) && !signal.aborted) {
      // The log will have come to this part when the next one is taken.
      const next = this.#readPart(end, [], part.high, signal);
      next.catch(() => undefined); // seen when it is asked for
      this.#ahead = { after: end, part: next };
    }
    return part;
  }

  /** Resolves when nothing is being read any more. */
  async whenIdle(): Promise<void> {
    await this.#ahead?.part.catch(() => undefined);
  }

  /** Of parts that are not of one moment the next is read with what the log has brought; and memory has to be bounded. */
  #mayGoOn({ records }: KeyPart): boolean {
    return records !== undefined && records.length <= 2 * this.#limit.maxBytes && !this.#rate.isLimited;
  }

  /** The part that was read ahead, if it is what is wanted. One that is not is waited for: one part is read at a time. */
  async #takeAhead(after: KeyPlace | undefined): Promise<KeyPart | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead === undefined) return undefined;
    if (after?.equals(ahead.after)) return await ahead.part;
    await ahead.part.catch(() => undefined);
    return undefined;
  }

  async #readPart(
    after: KeyPlace | undefined,
    pending: readonly string[],
    logSequence: number,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    const { keys } = this.#options;
    const again = pending.slice(0, maxPendingRead).map(placeOfName);
    return await this.#patiently(signal, async () => {
      const kept = await this.#kept?.take(after, logSequence, signal);
      const known = kept && unpackPart(kept);
      if (known !== undefined) return known;
      const part = await keys.read(after, again, this.#limit, signal);
      this.parts++;
      await this.#keep(after, part, signal);
      await this.#spend(part, signal);
      return part;
    });
  }

  /** Some of the pending keys alone. `isExact`: with the source's writers made to wait. */
  async readPending(pending: readonly string[], isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    const { keys } = this.#options;
    const places = pending.slice(0, maxPendingRead).map(placeOfName);
    const part = await this.#patiently(signal, () => keys.readKeys(places, isExact, signal));
    await this.#spend(part, signal);
    return part;
  }

  async #keep(after: KeyPlace | undefined, part: KeyPart, signal: AbortSignal): Promise<void> {
    const packed = this.#kept === undefined ? undefined : packPart(part);
    if (packed === undefined) return;
    const low = Math.min(part.low, part.rangeLow);
    await this.#kept?.keep({ after, low, high: part.high, ...packed }, part.isDurable === true, signal);
  }

  get #limit(): PartLimit {
    const { maxKeys, maxBytes } = this.#options.part ?? defaultPart;
    return {
      maxKeys: Math.min(maxKeys, this.#rate.maxKeys),
      maxBytes: Math.min(maxBytes, this.#rate.maxBytes),
      isPaced: this.#rate.isLimited,
    };
  }

  async #spend(part: KeyPart, signal: AbortSignal): Promise<void> {
    if (!this.#rate.isLimited) return;
    const { keys, byteLength } = part.whole ?? sizeOf(part.images);
    await this.#rate.spend(keys, byteLength, signal);
  }

  #patiently<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const { retry = patientRetry, logger } = this.#options;
    return whileUnreachable(retry, logger, signal, work);
  }
}

/** How much was read of keys that exist. */
export const sizeOf = (images: readonly KeyImage[]): { keys: number; byteLength: number } => ({
  keys: images.filter((image) => !isGone(image)).length,
  byteLength: images.reduce((total, image) => total + image.byteLength, 0),
});

/** Large enough that the syncs of the state file cost little, small enough to read some ahead of what is written. */
const defaultPart = { maxKeys: 20_000, maxBytes: 2 * 1024 * 1024 };
/** Pending keys that are read at once. */
const maxPendingRead = 500;
