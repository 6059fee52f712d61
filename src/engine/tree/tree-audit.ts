import { TailraceError } from '../../errors/index.js';
import type { DataFile } from './data-file.js';
import { EntryView, wholeKey } from './entry-view.js';
import { readLargeReference, unitsFor } from './large-value.js';
import { countOf, levelOf, pageBytes, u32 } from './page.js';
import type { TreeRoot } from './superblock.js';

/**
 * Walks a whole tree on disk, past the cache, and checks it: every page intact, keys in order and within their
 * separators, levels and counts right, every run readable. Calls `onUnits` for all that the tree uses.
 * @throws TailraceError `STORE_CORRUPT`
 */
export const auditTree = (
  file: DataFile,
  root: TreeRoot,
  onUnits: (start: number, length: number) => void,
): void => {
  if (root.unit === 0) return;
  let entries = 0;
  let largeEntries = 0;
  let previous: Buffer | undefined;
  const entry = new EntryView();
  const fault = (unit: number, reason: string): TailraceError =>
    new TailraceError('STORE_CORRUPT', `${file.path}: the page at unit ${unit} is wrong: ${reason}`, {
      context: { file: file.path, unit, reason },
      remedy: 'Restore a checkpoint or a backup, and report this: it is a defect.',
    });
  const run = (unit: number, byteLength: number, checksum: number): void => {
    file.readRun(unit, byteLength, checksum);
    onUnits(unit, unitsFor(byteLength));
  };
  const visit = (unit: number, level: number, low: Buffer, high: Buffer | undefined): void => {
    const page = Buffer.allocUnsafe(pageBytes);
    file.readPage(unit, page, 0);
    onUnits(unit, 1);
    if (levelOf(page, 0) !== level) throw fault(unit, `its level is ${levelOf(page, 0)}, not ${level}`);
    const count = countOf(page, 0);
    if (count === 0) throw fault(unit, 'it is empty');
    const keys: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      if (level === 0) entry.readLeaf(page, 0, i);
      else entry.readBranch(page, 0, i);
      const key = wholeKey(file, page, 0, entry);
      if (entry.tailAt >= 0)
        run(u32(page, entry.tailAt), u32(page, entry.tailAt + 4), u32(page, entry.tailAt + 8));
      if (i > 0 && Buffer.compare(keys[i - 1], key) >= 0) throw fault(unit, `entry ${i} is out of order`);
      const isOutside =
        Buffer.compare(key, low) < 0 || (high !== undefined && Buffer.compare(key, high) >= 0);
      if (isOutside) throw fault(unit, `entry ${i} lies outside its separators`);
      keys.push(key);
      if (level > 0) continue;
      if (previous !== undefined && Buffer.compare(previous, key) >= 0)
        throw fault(unit, 'keys are out of order');
      previous = key;
      entries++;
      if (entry.isLarge || entry.tailAt >= 0) largeEntries++;
      if (!entry.isLarge) continue;
      file.readLarge(page, entry.valueAt, entry.valueLength);
      for (const { start, length } of readLargeReference(page, entry.valueAt, entry.valueLength).runs)
        onUnits(start, length);
    }
    if (level === 0) return;
    for (let i = 0; i < count; i++) {
      entry.readBranch(page, 0, i);
      visit(u32(page, entry.valueAt), level - 1, i === 0 ? low : keys[i], keys[i + 1] ?? high);
    }
  };
  visit(root.unit, root.level, Buffer.alloc(0), undefined);
  if (entries !== root.entries || largeEntries !== root.largeEntries)
    throw fault(
      root.unit,
      `the tree has ${entries} entries (${largeEntries} large), not ${root.entries} (${root.largeEntries})`,
    );
};
