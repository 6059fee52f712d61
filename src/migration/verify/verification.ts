import { type Change, type RecordsRun, WholeKeys } from '../../data-model/index.js';
import { isGone, type KeyImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeName, placeOf } from '../key-place.js';
import type { KeyPart } from '../key-reader.js';
import { RateLimit } from '../rate-limit.js';
import { imagesOfRun } from '../record-part.js';
import { whileUnreachable } from '../while-unreachable.js';
import { differenceOf, isSameExpiry } from './canonical-value.js';
import { type ComparedTarget, compareRecords, wantedValue } from './compared-target.js';
import { type Difference, Suspects } from './suspects.js';
import { type VerificationOptions, verificationRetry } from './verification-options.js';

/** What is being done: keys of the source compared, names of the target looked up, or what differed looked at again. */
export type VerificationPhase = 'compare' | 'look-up' | 'settle';

/** The figures of a comparison. */
export interface VerificationStatus {
  readonly phase: VerificationPhase;
  /** Keys of the source that were compared, and names of the target that were looked up at the source. */
  readonly sourceKeys: number;
  readonly targetKeys: number;
  readonly differences: number;
  readonly repaired: number;
  /** Keys that differed, but changed at the source each time they were looked at again. */
  readonly unsettled: number;
  /** Keys that cannot be read for comparing. */
  readonly unsupported: number;
  /** Differences that are being looked at again. */
  readonly suspects: number;
}

/**
 * Compares every key of a source with a target while both are written to, and then every key of the target with the source.
 * Reads a part at a time, so its memory does not grow with the number of keys.
 *
 * A key that differs is a suspect, for the target lags behind: it is looked at again, the target between two looks at the
 * source. A difference is what is left when the source did not change from look to look for `settleMs` and the target still
 * has something else.
 */
export class Verification {
  readonly #options: VerificationOptions;
  readonly #target: ComparedTarget;
  readonly #namespaces: ReadonlySet<string>;
  readonly #rate: RateLimit;
  readonly #suspects: Suspects;
  #phase: VerificationPhase = 'compare';
  #sourceKeys = 0;
  #equal = 0;
  #targetKeys = 0;
  #unsupported = 0;

  constructor(options: VerificationOptions) {
    this.#options = options;
    this.#target = options.target;
    this.#suspects = new Suspects(options);
    this.#namespaces = new Set(options.namespaces);
    this.#rate = new RateLimit(options.rates ?? { keysPerSecond: 0, bytesPerSecond: 0 });
  }

  /** The first differences that were found; all are counted. */
  get differences(): readonly Difference[] {
    return this.#suspects.differences;
  }

  get status(): VerificationStatus {
    return {
      phase: this.#phase,
      sourceKeys: this.#sourceKeys,
      targetKeys: this.#targetKeys,
      differences: this.#suspects.found,
      repaired: this.#suspects.repaired,
      unsettled: this.#suspects.unsettled,
      unsupported: this.#unsupported,
      suspects: this.#suspects.size,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#options.sample > 0) await this.#compareSample(signal);
    else {
      const before = await this.#newest(signal);
      const keysBefore = await this.#target.count(signal);
      await this.#compareAll(signal);
      // As many keys as were found equal, nothing was written meanwhile and none has expired: then there are no others.
      const keys = await this.#target.count(signal);
      const isLevel = this.#suspects.size === 0 && this.#suspects.found === 0;
      const isAll = isLevel && keys === keysBefore && keys === this.#equal;
      if (isAll && before === (await this.#newest(signal))) this.#targetKeys = keys;
      else await this.#lookForExtras(signal);
    }
    await this.#settle(signal);
  }

  async #compareAll(signal: AbortSignal): Promise<void> {
    let next: Promise<KeyPart> | undefined;
    let after: KeyPlace | undefined;
    for (;;) {
      const part = await (next ?? this.#readPart(after, signal));
      after = part.walk?.end;
      // The next part is read while this one is compared.
      next = after === undefined ? undefined : this.#readPart(after, signal);
      next?.catch(() => undefined); // seen when it is awaited
      if (part.whole === undefined) await this.#compare(part.images, signal);
      else await this.#compareRuns(part.whole.runs, signal);
      for (const place of part.unsettled) this.#suspects.add(place);
      if (this.#suspects.size > maxSuspects) await this.#settle(signal);
      if (after === undefined) return;
    }
  }

  async #compareRuns(runs: readonly RecordsRun[], signal: AbortSignal): Promise<void> {
    const strings: Change[] = [];
    for (const run of runs) {
      if (!this.#namespaces.has(run.ns)) continue;
      if (run.isStrings) for (const change of run.transaction.changes) strings.push(change);
      else if (run.transaction instanceof WholeKeys && this.#target.differentOf !== undefined)
        await this.#compareWholeKeys(run.transaction, signal);
      else await this.#compare(imagesOfRun(run), signal);
    }
    await this.#compareStrings(strings, signal);
  }

  async #compareWholeKeys(keys: WholeKeys, signal: AbortSignal): Promise<void> {
    const { ttlToleranceMs } = this.#options;
    const different = await this.#retry(
      signal,
      async () => (await this.#target.differentOf?.(keys, ttlToleranceMs, signal)) ?? [],
    );
    this.#sourceKeys += keys.keys;
    this.#equal += keys.keys - different.length;
    for (const { place, byteLength } of different) this.#suspects.add(place, byteLength);
  }

  async #readPart(after: KeyPlace | undefined, signal: AbortSignal): Promise<KeyPart> {
    const limit = {
      maxKeys: Math.min(partKeys, this.#rate.maxKeys),
      maxBytes: Math.min(partBytes, this.#rate.maxBytes),
    };
    const part = await this.#retry(signal, () => this.#options.keys.read(after, [], limit, signal));
    const { whole } = part;
    const bytes = whole?.byteLength ?? part.images.reduce((total, image) => total + image.byteLength, 0);
    await this.#rate.spend(whole?.keys ?? part.images.length, bytes, signal);
    return part;
  }

  /** Walks the source by names alone, and takes each with the same chance; a Redis picks random keys by itself. */
  async #compareSample(signal: AbortSignal): Promise<void> {
    const { sample, names, keys } = this.#options;
    const chance = sample / Math.max(1, await names.count(signal));
    for await (const page of names.walk(signal)) {
      const places = page.filter(() => Math.random() < chance);
      if (places.length > 0) await this.#compare((await keys.readKeys(places, false, signal)).images, signal);
    }
    for (let left = sample; left > 0; left -= sampleKeys)
      await this.#lookUp(await this.#target.randomNames(Math.min(left, sampleKeys), signal), signal);
  }

  /** Compares images of the source with the target. */
  async #compare(images: readonly KeyImage[], signal: AbortSignal): Promise<void> {
    const strings: Change[] = [];
    const others: KeyImage[] = [];
    for (const image of images) {
      const [first] = image.changes;
      if (!this.#namespaces.has(first.ns)) continue;
      if (first.op === 'put' && first.type === 'string') {
        strings.push(first);
        continue;
      }
      this.#sourceKeys++;
      if (image.unsupported === undefined) others.push(image);
      else if (this.#target.compareRecords === undefined) this.#unsupported++;
      else if (
        (await this.#retry(signal, () => compareRecords(this.#target, image.place, signal))) === 'same'
      )
        this.#equal++;
      else this.#suspects.add(image.place, image.byteLength);
    }
    await this.#compareStrings(strings, signal);
    // Few at a time: both sides of them are in memory, element by element.
    for (let from = 0; from < others.length; from += comparedKeys)
      await this.#compareImages(others.slice(from, from + comparedKeys), signal);
  }

  async #compareImages(images: readonly KeyImage[], signal: AbortSignal): Promise<void> {
    const { ttlToleranceMs } = this.#options;
    const places = images.map(({ place }) => place);
    const read = await this.#retry(signal, () => this.#target.readValues(places, signal));
    images.forEach((image, at) => {
      const theirs = read[at];
      // Whether a HyperLogLog of a Kvrocks is the same, no command tells.
      if (theirs?.unsupported !== undefined && image.changes.some(({ type }) => type === 'hyperloglog')) {
        this.#unsupported++;
        return;
      }
      const isSame =
        theirs !== undefined &&
        differenceOf(wantedValue(this.#target, image), theirs, ttlToleranceMs) === undefined;
      if (isSame) this.#equal++;
      else this.#suspects.add(image.place, image.byteLength);
    });
  }

  /** Compares strings of the source, given as the changes that put them. Hot; measured by bench `migrate`. */
  async #compareStrings(changes: readonly Change[], signal: AbortSignal): Promise<void> {
    const { ttlToleranceMs } = this.#options;
    const names = changes.map((change) => this.#target.nameIn(change.ns, keyOf(change)));
    const found = await this.#retry(signal, () => this.#target.readStrings(names, signal));
    this.#sourceKeys += changes.length;
    for (let at = 0; at < changes.length; at++) {
      const change = changes[at];
      if (change.op !== 'put' || change.type !== 'string') continue;
      const { value, ttlAt } = found[at];
      const isSame = value !== null && Buffer.compare(value, change.value) === 0;
      if (isSame && isSameExpiry(change.ttlAt, ttlAt, ttlToleranceMs)) this.#equal++;
      else this.#suspects.add(placeOf(change.ns, change.key), change.value.length);
    }
  }

  /** Looks for keys of the target that the source does not have. */
  async #lookForExtras(signal: AbortSignal): Promise<void> {
    this.#phase = 'look-up';
    for await (const names of this.#target.scan(signal)) {
      await this.#lookUp(names, signal);
      if (this.#suspects.size > maxSuspects) await this.#settle(signal);
    }
  }

  async #lookUp(names: readonly Buffer[], signal: AbortSignal): Promise<void> {
    const wanted = names.filter((name) => !this.#target.isOwn(name));
    this.#targetKeys += wanted.length;
    const plain: KeyPlace[] = [];
    const several: (readonly KeyPlace[])[] = [];
    for (const name of wanted) {
      const places = this.#target.placesOf(name);
      if (places.length === 1 && keyAt(places[0]).ns === 'default') plain.push(places[0]);
      else if (places.length > 0) several.push(places);
    }
    if (plain.length > 0) {
      const missing = await this.#retry(signal, () => this.#options.names.missing(plain, signal));
      for (const place of missing) this.#suspects.add(place);
    }
    for (let from = 0; from < several.length; from += recheckKeys)
      await this.#lookUpSeveral(several.slice(from, from + recheckKeys), signal);
  }

  /** With several namespaces a name may be of any whose prefix it begins with: it is none's when no place has a key. */
  async #lookUpSeveral(candidates: readonly (readonly KeyPlace[])[], signal: AbortSignal): Promise<void> {
    const { keys } = this.#options;
    const part = await this.#retry(signal, () => keys.readKeys(candidates.flat(), false, signal));
    const gone = new Set(part.images.filter(isGone).map(({ place }) => placeName(place)));
    for (const places of candidates) {
      if (!places.every((place) => gone.has(placeName(place)))) continue;
      // That with the longest prefix is most likely meant.
      this.#suspects.add(
        places.reduce((best, place) => (keyAt(place).key.length < keyAt(best).key.length ? place : best)),
      );
    }
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const before = this.#phase;
    if (this.#suspects.size > 0) this.#phase = 'settle';
    await this.#suspects.settle(signal);
    this.#phase = before;
  }

  #newest(signal: AbortSignal): Promise<string> {
    return this.#retry(signal, () => this.#options.names.newest(signal));
  }

  #retry<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    return whileUnreachable(verificationRetry, this.#options.logger, signal, work);
  }
}

const keyOf = (change: Change): Buffer =>
  'key' in change ? Buffer.from(change.key.buffer, change.key.byteOffset, change.key.length) : noBytes;

const noBytes = Buffer.alloc(0);
/** Keys with elements that are compared at once. */
const comparedKeys = 250;
const partKeys = 4_000;
const partBytes = 1024 * 1024;
const sampleKeys = 500;
const recheckKeys = 500;
/** Suspects that are held until they are looked at again. */
const maxSuspects = 50_000;
