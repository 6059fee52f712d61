import type { WholeKeys } from '../../data-model/index.js';
import type { KeyImage } from '../key-image.js';
import type { KeyPlace } from '../key-place.js';
import { type CanonicalValue, canonicalValue } from './canonical-value.js';

/** A string of the target: null = no string is there. */
export interface TargetString {
  readonly value: Buffer | null;
  readonly ttlAt: number | undefined;
}

/** A key, and how many bytes there are of it. */
export interface SizedPlace {
  readonly place: KeyPlace;
  readonly byteLength: number;
}

/** A target as a comparison sees it. What it calls a key's name is known to itself alone. */
export interface ComparedTarget {
  /** The name of a key of the source. */
  nameIn(ns: string, key: Buffer): Buffer;
  /** Which keys of the source may stand under a name. */
  placesOf(name: Buffer): readonly KeyPlace[];
  /** What of a key of the source a target can hold that cannot hold all of it. */
  comparable?(image: KeyImage): KeyImage;
  /** True for the names of what the migration keeps there for itself. */
  isOwn(name: Buffer): boolean;
  /** Of whole keys those that the target has otherwise, or not at all. A target without this is read key by key. */
  differentOf?(keys: WholeKeys, ttlToleranceMs: number, signal: AbortSignal): Promise<readonly SizedPlace[]>;
  readStrings(names: readonly Buffer[], signal: AbortSignal): Promise<readonly TargetString[]>;
  /** What keys of any type hold; undefined where one changed while it was read. */
  readValues(
    places: readonly KeyPlace[],
    signal: AbortSignal,
  ): Promise<readonly (ComparedValue | undefined)[]>;
  /**
   * Whether the records of a key that cannot be told in changes are the same on both sides, byte for byte; `changing`: they
   * differ, but the source's changed meanwhile. undefined where records are not to be had.
   */
  compareRecords?(place: KeyPlace, signal: AbortSignal): Promise<'same' | 'different' | 'changing'>;
  /** How many keys there are, without the migration's own; Infinity where that cannot be told exactly. */
  count(signal: AbortSignal): Promise<number>;
  /** Every name, page by page; one may come twice. */
  scan(signal: AbortSignal): AsyncIterable<readonly Buffer[]>;
  /** Up to `count` names by chance. */
  randomNames(count: number, signal: AbortSignal): Promise<readonly Buffer[]>;
  /** Replaces what stands under the key by the image; undefined when that was done, otherwise why not. */
  repair(image: KeyImage, signal: AbortSignal): Promise<string | undefined>;
}

/** What a key holds, as far as it is compared. */
export interface ComparedValue extends CanonicalValue {
  /** Why the key cannot be read, if so. */
  readonly unsupported: string | undefined;
}

export const comparedValue = (image: KeyImage): ComparedValue => ({
  ...canonicalValue(image),
  unsupported: image.unsupported,
});

/** What the target should hold of a key of the source. */
export const wantedValue = (target: ComparedTarget, image: KeyImage): CanonicalValue =>
  canonicalValue(target.comparable?.(image) ?? image);

/** For keys that no change tells, such as Bloom filters; where the target has no records they count as the same. */
export const compareRecords = async (
  target: ComparedTarget,
  place: KeyPlace,
  signal: AbortSignal,
): Promise<'same' | 'different' | 'changing'> => (await target.compareRecords?.(place, signal)) ?? 'same';
