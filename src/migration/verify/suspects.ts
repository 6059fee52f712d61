import { setTimeout as delay } from 'node:timers/promises';
import { type KeyPlace, keyAt, placeName, placeOfName } from '../key-place.js';
import { whileUnreachable } from '../while-unreachable.js';
import { type CanonicalValue, canonicalValue, differenceOf } from './canonical-value.js';
import { compareRecords, wantedValue } from './compared-target.js';
import { isPositionKey } from './position-key.js';
import { type VerificationOptions, verificationRetry } from './verification-options.js';

/** A key that the two ends do not have alike. */
export interface Difference {
  readonly ns: string;
  readonly key: Buffer;
  readonly kind: 'missing' | 'extra' | 'type' | 'value' | 'expiry';
  readonly isRepaired: boolean;
}

/** Keys that differed when they were compared: they are looked at again, and what still differs is told and repaired. */
export class Suspects {
  /** The first differences that were found; all are counted. */
  readonly differences: Difference[] = [];
  found = 0;
  repaired = 0;
  /** Keys that changed at the source each time they were looked at again. */
  unsettled = 0;
  readonly #options: VerificationOptions;
  /** The names of their places, and about how many bytes each has. */
  readonly #found = new Map<string, number>();

  constructor(options: VerificationOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#found.size;
  }

  /** @param byteLength about how much is read of the key to look at it again; default: not known */
  add(place: KeyPlace, byteLength: number = unknownBytes): void {
    // A source that was a target itself has a position, too, and perhaps by the name of the target's own.
    if (!isPositionKey(keyAt(place).key)) this.#found.set(placeName(place), byteLength);
  }

  /** Looks at all suspects again, until each is no difference or has been one for `settleMs`. */
  async settle(signal: AbortSignal): Promise<void> {
    const { settleMs } = this.#options;
    const sinceMs = performance.now();
    let left = [...this.#found.keys()];
    for (let pauseMs = firstPauseMs; left.length > 0; pauseMs *= 2) {
      const isLast = performance.now() - sinceMs >= settleMs;
      const still: string[] = [];
      for (const slice of this.#slices(left)) still.push(...(await this.#recheck(slice, isLast, signal)));
      left = still;
      if (isLast) break;
      const restMs = settleMs - (performance.now() - sinceMs);
      if (left.length > 0) await delay(Math.max(0, Math.min(pauseMs, restMs)), undefined, { signal });
    }
    this.#found.clear();
  }

  /** As many at once as are not too much to be in memory. */
  *#slices(names: readonly string[]): Generator<readonly string[]> {
    let slice: string[] = [];
    let bytes = 0;
    for (const name of names) {
      const more = this.#found.get(name) ?? unknownBytes;
      if (slice.length === recheckKeys || (slice.length > 0 && bytes + more > recheckBytes)) {
        yield slice;
        slice = [];
        bytes = 0;
      }
      slice.push(name);
      bytes += more;
    }
    if (slice.length > 0) yield slice;
  }

  /** One more look; gives those that still differ, or on the last look counts them. */
  async #recheck(names: readonly string[], isLast: boolean, signal: AbortSignal): Promise<string[]> {
    const { target, ttlToleranceMs } = this.#options;
    const places = names.map(placeOfName);
    // One look after the other is read, and of each no more kept than tells it from the others.
    const before = await this.#look(places, signal);
    const theirs = await this.#retry(signal, () => target.readValues(places, signal));
    const behind = await this.#look(places, signal);
    const still: string[] = [];
    for (let at = 0; at < names.length; at++) {
      const [first, last, found] = [before.get(names[at]), behind.get(names[at]), theirs[at]];
      const isRead = first !== undefined && last !== undefined && found !== undefined;
      if (isRead && last.unsupported !== undefined) {
        const compared = await this.#retry(signal, () => compareRecords(target, places[at], signal));
        if (compared === 'same') continue;
        if (!isLast) still.push(names[at]);
        else if (compared === 'different') await this.#report(places[at], 'value', signal);
        else this.unsettled++;
        continue;
      }
      const kinds = isRead
        ? [first, last].map(({ wanted }) => differenceOf(wanted, found, ttlToleranceMs))
        : [];
      if (isRead && kinds.includes(undefined)) continue;
      const [, kind] = kinds;
      const isStill = isRead && differenceOf(first.own, last.own, 0) === undefined;
      if (!isLast) still.push(names[at]);
      else if (isStill && kind !== undefined) await this.#report(places[at], kind, signal);
      else this.unsettled++;
    }
    return still;
  }

  /** What the source has of these keys, by the names of their places. */
  async #look(places: readonly KeyPlace[], signal: AbortSignal): Promise<Map<string, Look>> {
    const { keys, target } = this.#options;
    const { images } = await this.#retry(signal, () => keys.readKeys(places, false, signal));
    return new Map(
      images.map((image): [string, Look] => {
        const own = canonicalValue(image);
        const wanted = target.comparable === undefined ? own : wantedValue(target, image);
        return [placeName(image.place), { own, wanted, unsupported: image.unsupported }];
      }),
    );
  }

  async #report(place: KeyPlace, kind: Difference['kind'], signal: AbortSignal): Promise<void> {
    this.found++;
    const { ns, key } = keyAt(place);
    const isRepaired = this.#options.repairs && (await this.#repair(place, signal));
    if (isRepaired) this.repaired++;
    if (this.differences.length < maxReported)
      this.differences.push({ ns, key: Buffer.from(key), kind, isRepaired });
  }

  /** Writes the source's value in place of the target's; true when the target then has it. */
  async #repair(place: KeyPlace, signal: AbortSignal): Promise<boolean> {
    const { keys, target, logger } = this.#options;
    const part = await this.#retry(signal, () => keys.readKeys([place], false, signal));
    const [image] = part.images;
    const refusal =
      part.images.length === 0
        ? 'it changes while it is read'
        : target.compareRecords === undefined && image.unsupported !== undefined
          ? image.unsupported
          : await target.repair(image, signal);
    if (refusal === undefined) return true;
    logger.warn('a key could not be repaired', { key: keyAt(place).key.toString(), reason: refusal });
    return false;
  }

  #retry<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    return whileUnreachable(verificationRetry, this.#options.logger, signal, work);
  }
}

/** What the source has of a key, and what of that the target should hold. */
interface Look {
  readonly own: CanonicalValue;
  readonly wanted: CanonicalValue;
  readonly unsupported: string | undefined;
}

/** Keys, and bytes of them, that are looked at again at once. */
const recheckKeys = 500;
const recheckBytes = 4 * 1024 * 1024;
const unknownBytes = 16 * 1024;
const firstPauseMs = 50;
/** Differences that are named; all are counted. */
const maxReported = 1_000;
