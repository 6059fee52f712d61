import { PageBuilder } from './page-builder.js';
import type { PageOutput } from './page-output.js';
import type { TreeKey } from './tree-key.js';

/** The builders of a tree, one per level: the pages of each become children in the one above it. */
export class LevelBuilders {
  readonly #output: PageOutput;
  /** Called with separators that no page uses, to release their runs. */
  readonly #dropKey: (key: TreeKey | undefined) => void;
  readonly #builders: PageBuilder[] = [];

  constructor(output: PageOutput, dropKey: (key: TreeKey | undefined) => void) {
    this.#output = output;
    this.#dropKey = dropKey;
  }

  at(level: number): PageBuilder {
    while (this.#builders.length <= level) {
      const at = this.#builders.length;
      const onPage = (low: TreeKey, unit: number): void => this.addChild(at + 1, low, unit);
      this.#builders.push(new PageBuilder(at, this.#output, onPage));
    }
    return this.#builders[level];
  }

  addChild(level: number, low: TreeKey, unit: number): void {
    this.at(level).addChild(low, unit);
  }

  /** True when nothing has gathered up to a level, inclusive. */
  areEmptyUpTo(level: number): boolean {
    return this.#builders.slice(0, level + 1).every(({ isEmpty }) => isEmpty);
  }

  /** True when something has gathered at a level that would make an underfull page. */
  isUnderfullAt(level: number): boolean {
    const builder = this.#builders[level];
    return builder !== undefined && !builder.isEmpty && builder.isUnderfull;
  }

  /** The next page of a level begins at `low`, unless entries that belong before it have gathered. */
  start(level: number, low: TreeKey): void {
    this.#dropKey(this.areEmptyUpTo(level) ? this.at(level).startAt(low) : low);
  }

  /** Makes pages of what has gathered up to a level, inclusive. */
  finishUpTo(level: number): void {
    for (let below = 0; below <= level; below++) this.#builders[below]?.finish();
  }

  /** Makes pages of all that has gathered until one page stands above all: the root. Undefined when there is nothing. */
  finish(): { unit: number; level: number } | undefined {
    for (let level = 0; level < this.#builders.length; level++) {
      const builder = this.#builders[level];
      const isTop = this.#builders.slice(level + 1).every((above) => above.isEmpty);
      const child = isTop && level > 0 ? builder.onlyChild : undefined;
      if (child !== undefined) {
        this.#dropKey(child.low);
        this.#dropUnusedKeys();
        return { unit: child.unit, level: level - 1 };
      }
      builder.finish();
    }
    this.#dropUnusedKeys();
    return undefined;
  }

  #dropUnusedKeys(): void {
    for (const builder of this.#builders) this.#dropKey(builder.startAt(undefined));
  }
}
