import type { MemoryStore } from './memory-store.js';

/** Counts what walks of a store cost: how many begin, and how many entries they step over. */
export const countWalks = (store: MemoryStore): { begun: number; steps: number } => {
  const counts = { begun: 0, steps: 0 };
  const { iterate } = store;
  store.iterate = (range) => {
    const iterator = iterate.call(store, range);
    const { next } = iterator;
    counts.begun++;
    iterator.next = () => {
      counts.steps++;
      next.call(iterator);
    };
    return iterator;
  };
  return counts;
};
