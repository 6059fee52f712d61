import { Turns } from '../../data-model/index.js';
import type { WalBatch, WalIterator } from '../../engine/index.js';
import { goesOn } from './poll-cursor.js';
import type { UpdateEncoder } from './update-encoder.js';

/** What one reply holds. */
export interface CollectedUpdates {
  /** Last sequence number that was read, whether or not anything of it is wanted; -1 when nothing was. */
  readonly last: number;
  /** True when batches without counted records were read behind `last`. */
  readonly endsEmpty: boolean;
  /** Why the next batch cannot be written in this format. */
  readonly fault: string | undefined;
}

/** Bounds of one reply. */
export interface UpdateBounds {
  readonly batches: number;
  /** Bytes of the batches written; a single larger one comes alone. */
  readonly bytes: number;
}

/**
 * Reads the log from where `iterator` stands and gives the encoder what belongs into one reply. Leaves the iterator
 * behind the last batch that was read. What nobody wants is read on only so far, so that others get their turn.
 */
export const collectUpdates = (
  iterator: WalIterator,
  encoder: UpdateEncoder,
  bounds: UpdateBounds,
): CollectedUpdates => {
  let last = -1;
  let bytes = 0;
  let readBytes = 0;
  let endsEmpty = false;
  for (; iterator.valid && encoder.count < bounds.batches && readBytes - bytes < maxUnwantedBytes; ) {
    const batch = iterator.item;
    const { length } = batch.bytes;
    if (encoder.count > 0 && bytes + length > bounds.bytes) break;
    if (readBytes > 0 && isLarge(batch, encoder)) break; // it has a reply of its own
    const encoded = encoder.add(batch);
    if (typeof encoded === 'object') return { last, endsEmpty, fault: encoded.fault };
    endsEmpty = batch.count === 0;
    if (!endsEmpty) last = batch.sequence + batch.count - 1;
    readBytes += length;
    if (encoded === 'written') bytes += length;
    // Who asks for what comes next is told that it is gone.
    if (!goesOn(iterator)) break;
  }
  return { last, endsEmpty, fault: undefined };
};

/** Whether a batch, as the next one, is for `collectLarge`. */
export const isLarge = (batch: WalBatch, encoder: UpdateEncoder): boolean =>
  batch.bytes.length > largeBatchBytes && encoder.addInTurns !== undefined;

/** `collectUpdates` of one large batch, in turns. Rejects when `signal` gives it up. */
export const collectLarge = async (
  iterator: WalIterator,
  encoder: UpdateEncoder,
  signal: AbortSignal,
): Promise<CollectedUpdates> => {
  const { item: batch } = iterator;
  const last = batch.sequence + batch.count - 1;
  const encoded = await encoder.addInTurns?.(batch, new Turns(signal));
  if (typeof encoded === 'object') return { last: -1, endsEmpty: false, fault: encoded.fault };
  goesOn(iterator);
  return { last, endsEmpty: false, fault: undefined };
};

/** A larger batch is read in turns. */
const largeBatchBytes = 8 * 1024 * 1024;
/** Bytes of log that one reply passes over, about; the rest comes with the next. Reading them takes some 20 ms. */
const maxUnwantedBytes = 1024 * 1024;
