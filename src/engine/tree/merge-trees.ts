import { runInSlices } from '../run-in-slices.js';
import type { Changes } from './changes.js';
import type { DataFile } from './data-file.js';
import type { PageCache } from './page-cache.js';
import { PageOutput } from './page-output.js';
import type { TreeRoot } from './superblock.js';
import { TreeMerge } from './tree-merge.js';
import type { UnitSource } from './unit-source.js';

/** What a merge reads, and where what it makes goes. */
export interface MergeInput {
  readonly file: DataFile;
  readonly cache: PageCache;
  readonly units: UnitSource;
  /** Of the state that is being made. */
  readonly epoch: number;
  /** By column family. */
  readonly roots: readonly TreeRoot[];
  /** Asked for in the order of the column families, each when the one before is done. */
  changesOf(columnFamily: number): Changes;
  /** How long to work before yielding to the event loop, in ms. */
  sliceMs(): number;
}

/**
 * Merges changes into the trees of a state, in slices. When it resolves, the new pages have been handed to the operating
 * system, not yet synced; when it rejects, no write of it is under way any more.
 */
export const mergeTrees = async (input: MergeInput): Promise<TreeRoot[]> => {
  const { file, cache, units, epoch } = input;
  const output = new PageOutput(file, units, cache, epoch);
  try {
    const roots: TreeRoot[] = [];
    for (const [family, root] of input.roots.entries()) {
      const merge = new TreeMerge(file, cache, units, output, input.changesOf(family));
      roots.push(
        await runInSlices(
          merge.run(root),
          () => input.sliceMs(),
          () => output.drain(),
        ),
      );
    }
    await output.finish();
    return roots;
  } catch (error) {
    await output.settle();
    throw error;
  }
};
