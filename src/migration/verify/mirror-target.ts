import type { Change } from '../../data-model/index.js';
import { goneImage, type KeyImage, wholeImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeOf } from '../key-place.js';
import { byNamespace } from './by-namespace.js';
import {
  type ComparedTarget,
  type ComparedValue,
  comparedValue,
  type TargetString,
} from './compared-target.js';

/** Keys as tables hold them, by namespace. */
export interface MirroredKeys {
  strings(ns: string, keys: readonly Buffer[], signal: AbortSignal): Promise<readonly TargetString[]>;
  /** What makes each key from nothing, all as of one moment; nothing of those that are not there. */
  changes(ns: string, keys: readonly Buffer[], signal: AbortSignal): Promise<readonly (readonly Change[])[]>;
  count(namespaces: readonly string[], signal: AbortSignal): Promise<number>;
  names(namespaces: readonly string[], signal: AbortSignal): AsyncIterable<readonly MirroredName[]>;
  randomNames(
    namespaces: readonly string[],
    count: number,
    signal: AbortSignal,
  ): Promise<readonly MirroredName[]>;
}

interface MirroredName {
  readonly ns: string;
  readonly key: Buffer;
}

/**
 * The tables of a mirror, which keep namespaces apart: a key's name is here its place. They do not hold the last id of a
 * stream, and documents only by what they mean, not as they are spelled; this is left out of the comparison. What they hold
 * is written by their sink alone.
 */
export class MirrorTarget implements ComparedTarget {
  readonly #keys: MirroredKeys;
  readonly #namespaces: readonly string[];

  constructor(keys: MirroredKeys, namespaces: readonly string[]) {
    this.#keys = keys;
    this.#namespaces = namespaces;
  }

  nameIn(ns: string, key: Buffer): Buffer {
    return placeOf(ns, key);
  }

  placesOf(name: Buffer): readonly KeyPlace[] {
    return [name];
  }

  isOwn(): boolean {
    return false;
  }

  comparable(image: KeyImage): KeyImage {
    return { ...image, changes: image.changes.map(heldOf(image)) };
  }

  readStrings(names: readonly Buffer[], signal: AbortSignal): Promise<readonly TargetString[]> {
    return byNamespace(names, (ns, own) => this.#keys.strings(ns, own.map(keyOf), signal));
  }

  async readValues(places: readonly KeyPlace[], signal: AbortSignal): Promise<readonly ComparedValue[]> {
    const found = await byNamespace(places, (ns, own) => this.#keys.changes(ns, own.map(keyOf), signal));
    return places.map((place, at) =>
      comparedValue(
        found[at].length === 0 ? goneImage(place) : this.comparable(wholeImage(place, found[at])),
      ),
    );
  }

  count(signal: AbortSignal): Promise<number> {
    return this.#keys.count(this.#namespaces, signal);
  }

  async *scan(signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    for await (const names of this.#keys.names(this.#namespaces, signal)) yield names.map(placeOfMirrored);
  }

  async randomNames(count: number, signal: AbortSignal): Promise<readonly Buffer[]> {
    return (await this.#keys.randomNames(this.#namespaces, count, signal)).map(placeOfMirrored);
  }

  async repair(): Promise<string> {
    return 'a mirror is written by its sink alone: give it a new snapshot';
  }
}

const keyOf = (place: KeyPlace): Buffer => keyAt(place).key;

const placeOfMirrored = ({ ns, key }: MirroredName): KeyPlace => placeOf(ns, key);

/** A change as far as a mirror can tell it. */
const heldOf =
  ({ changes }: KeyImage) =>
  (change: Change): Change => {
    if (change.op === 'put' && change.type === 'json')
      return { ...change, value: Buffer.from(meaningOf(change.value)) };
    if (change.op !== 'streamMeta' || change.command[0] !== 'XSETID') return change;
    const last = changes.findLast((each) => each.op === 'put' && each.type === 'stream');
    const lastId = last?.op === 'put' && last.type === 'stream' ? last.id : '0-0';
    return { ...change, command: ['XSETID', change.key, lastId] };
  };

/** The document with its members in order; what is no JSON as it is. */
const meaningOf = (document: Uint8Array): string => {
  const text = Buffer.from(document).toString();
  try {
    return JSON.stringify(JSON.parse(text, inOrder));
  } catch {
    return text;
  }
};

const inOrder = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    : value;
