import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../engine/index.js';
import type { Pipeline } from '../pipeline/index.js';

/** Waits until the only sink of a running pipeline has all that is durable, the pipeline fails or the signal aborts. */
export const untilDelivered = async (
  pipeline: Pipeline,
  engine: Engine,
  signal: AbortSignal,
  show: () => void = () => undefined,
): Promise<void> => {
  for (;;) {
    const { state, sinks } = pipeline.status();
    if (signal.aborted || state === 'failed') return;
    if ((sinks[0].position?.sequence ?? 0) >= engine.durableSequence) return;
    show();
    await delay(lookMs);
  }
};

const lookMs = 10;
