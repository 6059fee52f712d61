import { setImmediate as nextTurn } from 'node:timers/promises';

/** Drives a generator to its end, yielding to the event loop after each slice of `sliceMs()` ms and awaiting `between` there. */
export const runInSlices = async <Result>(
  work: Generator<undefined, Result>,
  sliceMs: () => number,
  between?: () => Promise<void>,
): Promise<Result> => {
  for (;;) {
    const deadline = performance.now() + sliceMs();
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < deadline);
    await between?.();
    await nextTurn();
  }
};
