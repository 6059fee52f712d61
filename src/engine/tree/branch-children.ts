import { EntryView } from './entry-view.js';
import { countOf, u32 } from './page.js';
import type { PageCache } from './page-cache.js';
import { keyOf, type TreeKey } from './tree-key.js';

/** The children of a branch, each with the separator that stands before it. */
export const childrenOf = (
  unit: number,
  cache: PageCache,
): readonly { readonly separator: TreeKey; readonly child: number }[] => {
  cache.fetch(unit);
  const { bytes, base } = cache;
  const entry = new EntryView();
  return Array.from({ length: countOf(bytes, base) }, (_, i) => {
    entry.readBranch(bytes, base, i);
    return { separator: keyOf(bytes, base, entry), child: u32(bytes, entry.valueAt) };
  });
};
