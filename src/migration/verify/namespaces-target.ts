import type { WholeKeys } from '../../data-model/index.js';
import type { KeyImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeOf } from '../key-place.js';
import { byNamespace } from './by-namespace.js';
import type { ComparedTarget, ComparedValue, SizedPlace, TargetString } from './compared-target.js';
import type { TargetKeys } from './target-keys.js';

/**
 * A target that keeps namespaces apart and shows each by a connection of its own. A key's name is here its place: the
 * namespace and the key in it.
 */
export class NamespacesTarget implements ComparedTarget {
  readonly #targets: ReadonlyMap<string, TargetKeys>;

  /** @param targets of each namespace that is compared, with the keys as they are called in it */
  constructor(targets: ReadonlyMap<string, TargetKeys>) {
    this.#targets = targets;
  }

  nameIn(ns: string, key: Buffer): Buffer {
    return placeOf(ns, key);
  }

  placesOf(name: Buffer): readonly KeyPlace[] {
    return [name];
  }

  isOwn(name: Buffer): boolean {
    const { ns, key } = keyAt(name);
    return this.#targetOf(ns).isOwn(key);
  }

  readStrings(names: readonly Buffer[], signal: AbortSignal): Promise<readonly TargetString[]> {
    return byNamespace(names, (ns, own) =>
      this.#targetOf(ns).readStrings(
        own.map((name) => keyAt(name).key),
        signal,
      ),
    );
  }

  readValues(
    places: readonly KeyPlace[],
    signal: AbortSignal,
  ): Promise<readonly (ComparedValue | undefined)[]> {
    return byNamespace(places, (ns, own) => this.#targetOf(ns).readValues(own, signal));
  }

  differentOf(keys: WholeKeys, ttlToleranceMs: number, signal: AbortSignal): Promise<readonly SizedPlace[]> {
    return this.#targetOf(keys.ns).differentOf(keys, ttlToleranceMs, signal);
  }

  async count(signal: AbortSignal): Promise<number> {
    let count = 0;
    for (const target of this.#targets.values()) count += await target.count(signal);
    return count;
  }

  async *scan(signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    for (const [ns, target] of this.#targets)
      for await (const names of target.scan(signal)) yield names.map((name) => placeOf(ns, name));
  }

  async randomNames(count: number, signal: AbortSignal): Promise<readonly Buffer[]> {
    const all = [...this.#targets];
    const [ns, target] = all[Math.floor(Math.random() * all.length)];
    return (await target.randomNames(count, signal)).map((name) => placeOf(ns, name));
  }

  repair(image: KeyImage, signal: AbortSignal): Promise<string | undefined> {
    return this.#targetOf(keyAt(image.place).ns).repair(image, signal);
  }

  #targetOf(ns: string): TargetKeys {
    const target = this.#targets.get(ns);
    if (target === undefined) throw new RangeError(`the namespace ${ns} is not compared`);
    return target;
  }
}
