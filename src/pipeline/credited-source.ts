import { Observable } from 'rxjs';
import {
  type Pulled,
  type PullLimit,
  positionOf,
  type Source,
  type SourceBatch,
  type Transaction,
} from '../kit/index.js';
import type { Chunk } from './chunk.js';
import type { CreditGate } from './credit-gate.js';

/** Hears of each pull. */
export interface PullWatch {
  now(): number;
  onPulled(pulled: Pulled): Promise<void>;
  /** How long decoding one pull took, in ms. */
  onDecoded(ms: number): void;
}

/** Turns batches into changes; keeps what it has seen of each key. */
export interface TransactionDecoder {
  decode(batch: Buffer): Transaction;
}

/**
 * Pulls a source as credit allows, and decodes. Each chunk holds credit for its bytes until it is settled.
 * An idle source gives empty chunks, by which positions move on. The stream completes when the source ends or `signal`
 * aborts: what was pulled before is then still delivered.
 * `ended` resolves when the source is no longer being pulled, which may be a little after the stream was given up.
 */
export const creditedSource = (
  source: Source,
  decoder: TransactionDecoder,
  gate: CreditGate,
  limit: PullLimit,
  signal: AbortSignal,
  watch: PullWatch,
): { chunks: Observable<Chunk>; ended: Promise<void> } => {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const chunks = new Observable<Chunk>((subscriber) => {
    const run = async (): Promise<void> => {
      while (!subscriber.closed) {
        await gate.ready(signal);
        const pulled = await pullUnlessAborted(source, limit, signal);
        if (pulled === null || subscriber.closed) break;
        await watch.onPulled(pulled);
        const pulledAtMs = watch.now();
        if (pulled.batches.length === 0) {
          subscriber.next({ transactions: [], position: null, byteLength: 0, creditBytes: 0, pulledAtMs });
          continue;
        }
        const byteLength = pulled.batches.reduce((total, batch) => total + batch.bytes.length, 0);
        const creditBytes = byteLength + decodedBytes * countRecords(pulled.batches);
        gate.take(creditBytes);
        const transactions = pulled.batches.map((batch) => decoder.decode(batch.bytes));
        watch.onDecoded(watch.now() - pulledAtMs);
        const position = positionBehind(pulled.batches);
        subscriber.next({ transactions, position, byteLength, creditBytes, pulledAtMs });
      }
      subscriber.complete();
    };
    run()
      .catch((error: unknown) => subscriber.error(error))
      .finally(end);
  });
  return { chunks, ended };
};

const pullUnlessAborted = async (
  source: Source,
  limit: PullLimit,
  signal: AbortSignal,
): Promise<Pulled | null> => {
  if (signal.aborted) return null;
  try {
    return await source.pull(limit, signal);
  } catch (error) {
    if (signal.aborted) return null; // the pull was given up because we asked for it
    throw error;
  }
};

const countRecords = (batches: readonly SourceBatch[]): number =>
  batches.reduce((total, batch) => total + 1 + batch.count, 0);

/**
 * About what the objects of a decoded record take beside its bytes; as much again for its transaction. Counted, so that
 * small changes do not fill the heap: decoded changes that outlive the young generation were once the largest cost of a
 * pipeline at full speed.
 */
const decodedBytes = 400;

const positionBehind = (batches: readonly SourceBatch[]): Chunk['position'] => {
  const last = batches.findLast((batch) => batch.count > 0);
  return last === undefined ? null : positionOf(last);
};
