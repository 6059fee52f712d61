import type * as trees from '../../../src/engine/tree/index.js';
import type * as files from '../../../src/files/index.js';

const root = new URL('../../../dist/src/', import.meta.url);

/** The trees as they are compiled: a merge in a thread of its own needs code that Node can run. */
export const compiled = async (): Promise<{
  stores: typeof trees.TreeStore;
  files: files.Files;
  isInThread: true;
}> => {
  const { TreeStore } = (await import(new URL('engine/tree/index.js', root).href)) as typeof trees;
  const { nodeFiles } = (await import(new URL('files/index.js', root).href)) as typeof files;
  return { stores: TreeStore, files: nodeFiles, isInThread: true };
};
