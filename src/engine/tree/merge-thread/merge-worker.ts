import { parentPort, workerData } from 'node:worker_threads';
import { DataFile } from '../data-file.js';
import { mergeTrees } from '../merge-trees.js';
import { PageCache } from '../page-cache.js';
import { MainThread } from './main-thread.js';
import { type MergeOrder, sentError } from './merge-messages.js';
import { PackedChanges } from './packed-changes.js';
import { SharedMemory, type SharedMemoryHandle } from './shared-memory.js';

// The merge thread: does the merges that it is ordered to, one after the other.

const merge = async ({ file: handle, epoch, roots, families }: MergeOrder): Promise<void> => {
  try {
    const file = DataFile.attach(handle);
    // Each page of the old trees is read once, in order: there is nothing to gain from keeping them.
    const cache = new PageCache(0, (unit, into, at) => file.readPage(unit, into, at));
    const merged = await mergeTrees({
      file,
      cache,
      units: main,
      epoch,
      roots,
      changesOf: (family) => {
        const { ranges, hasChanges } = families[family];
        return new PackedChanges(ranges, () => (hasChanges ? main.nextChanges(family) : undefined));
      },
      sliceMs: () => sliceMs,
    });
    main.settle();
    main.send({ kind: 'merged', roots: merged, bytesWritten: file.bytesWritten });
  } catch (error) {
    main.forget();
    main.send({ kind: 'failed', error: sentError(error) });
  }
};

/** After so long, writes that are done are seen to be. */
const sliceMs = 5;

if (parentPort === null) throw new Error('this is the code of a thread of its own');
const main = new MainThread(
  parentPort,
  new SharedMemory(workerData as SharedMemoryHandle),
  (order) => void merge(order),
);
