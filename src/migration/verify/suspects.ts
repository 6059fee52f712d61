import { setTimeout as delay } from 'node:timers/promises';
import type { KeyImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeName, placeOfName } from '../key-place.js';
import { whileUnreachable } from '../while-unreachable.js';
import { canonicalValue, differenceOf } from './canonical-value.js';
import { compareRecords, wantedValue } from './compared-target.js';
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
  readonly #names = new Set<string>();

  constructor(options: VerificationOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#names.size;
  }

  add(place: KeyPlace): void {
    this.#names.add(placeName(place));
  }

  /** Looks at all suspects again, until each is no difference or has been one for `settleMs`. */
  async settle(signal: AbortSignal): Promise<void> {
    const { settleMs } = this.#options;
    const sinceMs = performance.now();
    let left = [...this.#names];
    for (let pauseMs = firstPauseMs; left.length > 0; pauseMs *= 2) {
      const isLast = performance.now() - sinceMs >= settleMs;
      const still: string[] = [];
      for (let from = 0; from < left.length; from += recheckKeys)
        still.push(...(await this.#recheck(left.slice(from, from + recheckKeys), isLast, signal)));
      left = still;
      if (isLast) break;
      const restMs = settleMs - (performance.now() - sinceMs);
      if (left.length > 0) await delay(Math.max(0, Math.min(pauseMs, restMs)), undefined, { signal });
    }
    this.#names.clear();
  }

  /** One more look; gives those that still differ, or on the last look counts them. */
  async #recheck(names: readonly string[], isLast: boolean, signal: AbortSignal): Promise<string[]> {
    const { keys, target, ttlToleranceMs } = this.#options;
    const places = names.map(placeOfName);
    const look = async (): Promise<Map<string, KeyImage>> => {
      const part = await this.#retry(signal, () => keys.readKeys(places, false, signal));
      return new Map(part.images.map((image) => [placeName(image.place), image]));
    };
    const before = await look();
    const theirs = await this.#retry(signal, () => target.readImages(places, signal));
    const behind = await look();
    const still: string[] = [];
    for (let at = 0; at < names.length; at++) {
      const [first, last, found] = [before.get(names[at]), behind.get(names[at]), theirs[at]];
      const isRead = first !== undefined && last !== undefined && found !== undefined;
      if (isRead && last.unsupported !== undefined) {
        const compared = await this.#retry(signal, () => compareRecords(target, last, signal));
        if (compared === 'same') continue;
        if (!isLast) still.push(names[at]);
        else if (compared === 'different') await this.#report(last, 'value', signal);
        else this.unsettled++;
        continue;
      }
      const kinds = isRead
        ? [first, last].map((image) =>
            differenceOf(wantedValue(target, image), canonicalValue(found), ttlToleranceMs),
          )
        : [];
      if (isRead && kinds.includes(undefined)) continue;
      const [, kind] = kinds;
      const isStill = isRead && differenceOf(canonicalValue(first), canonicalValue(last), 0) === undefined;
      if (!isLast) still.push(names[at]);
      else if (isStill && kind !== undefined) await this.#report(last, kind, signal);
      else this.unsettled++;
    }
    return still;
  }

  async #report(image: KeyImage, kind: Difference['kind'], signal: AbortSignal): Promise<void> {
    this.found++;
    const { ns, key } = keyAt(image.place);
    const isRepaired = this.#options.repairs && (await this.#repair(image, signal));
    if (isRepaired) this.repaired++;
    if (this.differences.length < maxReported)
      this.differences.push({ ns, key: Buffer.from(key), kind, isRepaired });
  }

  /** Writes the source's value in place of the target's; true when the target then has it. */
  async #repair(image: KeyImage, signal: AbortSignal): Promise<boolean> {
    const refusal = await this.#options.target.repair(image, signal);
    if (refusal === undefined) return true;
    const key = keyAt(image.place).key.toString();
    this.#options.logger.warn('a key could not be repaired', { key, reason: refusal });
    return false;
  }

  #retry<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    return whileUnreachable(verificationRetry, this.#options.logger, signal, work);
  }
}

const recheckKeys = 500;
const firstPauseMs = 50;
/** Differences that are named; all are counted. */
const maxReported = 1_000;
