import { Observable } from 'rxjs';
import { type Pulled, positionOf, type SourceBatch } from '../kit/index.js';
import type { Chunk } from './chunk.js';
import type { CreditGate } from './credit-gate.js';

/** How the stream pulls its source. */
export interface PulledSource {
  now(): number;
  /** null at the end of the source. */
  pull(signal: AbortSignal): Promise<Pulled | null>;
  /** Called, and awaited, after each pull. */
  onPulled(pulled: Pulled): Promise<void>;
}

/**
 * Pulls a source as credit allows. Each chunk holds credit for its bytes until it is settled.
 * An idle source gives empty chunks, by which positions advance. The stream completes when the source ends or `signal`
 * aborts: what was pulled before is then still delivered.
 * `ended` resolves when the source is no longer being pulled, which may be a little after the stream was given up.
 */
export const creditedSource = (
  source: PulledSource,
  gate: CreditGate,
  signal: AbortSignal,
): { chunks: Observable<Chunk>; ended: Promise<void> } => {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const chunks = new Observable<Chunk>((subscriber) => {
    const run = async (): Promise<void> => {
      while (!subscriber.closed) {
        await gate.ready(signal);
        const pulled = await pullUnlessAborted(source, signal);
        if (pulled === null || subscriber.closed) break;
        await source.onPulled(pulled);
        const pulledAtMs = source.now();
        const chunk = chunkOf(pulled.batches, pulledAtMs);
        gate.take(chunk.creditBytes);
        subscriber.next(chunk);
      }
      subscriber.complete();
    };
    run()
      .catch((error: unknown) => subscriber.error(error))
      .finally(end);
  });
  return { chunks, ended };
};

const pullUnlessAborted = async (source: PulledSource, signal: AbortSignal): Promise<Pulled | null> => {
  if (signal.aborted) return null;
  try {
    return await source.pull(signal);
  } catch (error) {
    if (signal.aborted) return null; // the pull was given up because we asked for it
    throw error;
  }
};

const chunkOf = (batches: readonly SourceBatch[], pulledAtMs: number): Chunk => {
  let records = 0;
  let byteLength = 0;
  for (const { count, bytes } of batches) {
    records += count;
    byteLength += bytes.length;
  }
  const creditBytes = byteLength + decodedBytes * (batches.length + records);
  return { batches, records, position: positionBehind(batches), byteLength, creditBytes, pulledAtMs };
};

/**
 * About what the objects of a decoded record take besides its bytes; as much again for its batch. It is counted so that
 * small changes do not fill the heap: objects that outlive the young generation cost a pipeline more than decoding.
 */
const decodedBytes = 400;

const positionBehind = (batches: readonly SourceBatch[]): Chunk['position'] => {
  const last = batches.findLast((batch) => batch.count > 0);
  return last === undefined ? null : positionOf(last);
};
