import { mostChunks } from './packed-changes.js';

/**
 * What the two threads share: a number that grows with each message to the merge thread, which sleeps on it, and slots
 * for chunks of changes. The merge thread says which slot is written to next; it is the other's until it has answered.
 */
export class SharedMemory {
  readonly signal: Int32Array;
  readonly slots: readonly Uint8Array[];
  readonly #handle: SharedMemoryHandle;

  /** @param handle that of the other thread; without one it is made */
  constructor(handle: SharedMemoryHandle = newHandle()) {
    this.#handle = handle;
    this.signal = new Int32Array(handle.signal);
    this.slots = Array.from(
      { length: slotCount },
      (_, slot) => new Uint8Array(handle.chunks, slot * slotBytes, slotBytes),
    );
  }

  /** What the other thread makes its own of. */
  get handle(): SharedMemoryHandle {
    return this.#handle;
  }
}

export interface SharedMemoryHandle {
  readonly signal: SharedArrayBuffer;
  readonly chunks: SharedArrayBuffer;
}

const newHandle = (): SharedMemoryHandle => ({
  signal: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
  chunks: new SharedArrayBuffer(slotCount * slotBytes),
});

/** Chunks are asked for so many ahead: each takes the merge a millisecond or more, an answer the turn of a busy thread. */
export const chunksAhead = 4;
/** Filled in less than a quarter of a millisecond; larger ones save nothing that can be measured. */
const slotBytes = 64 * 1024;
/** Most of them are used, and take memory, only where values are nearly as large as a slot. */
const slotCount = chunksAhead + mostChunks + 1;
