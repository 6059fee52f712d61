import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Run } from '../../space/index.js';
import type { UnitSource } from '../unit-source.js';
import {
  type FromMergeThread,
  type MergeOrder,
  receivedError,
  type TakeKind,
  type ToMergeThread,
} from './merge-messages.js';
import type { PackedChunk } from './packed-changes.js';
import { chunksAhead, type SharedMemory } from './shared-memory.js';

/**
 * The main thread as the merge thread sees it: who gives orders, changes and units. A merge cannot go on without an
 * answer, so the thread sleeps until there is one; the main thread never waits for this one.
 */
export class MainThread implements UnitSource {
  readonly #port: MessagePort;
  readonly #memory: SharedMemory;
  /** Slots that nothing is in, the one used last behind. */
  #freeSlots: number[] = [];
  /** The column family whose changes are received. */
  #family = -1;
  readonly #received: ToMergeThread[] = [];
  /** Runs for pages, taken ahead; those before `#pagesAt` are given out. */
  #pages: readonly Run[] = [];
  #pagesAt = 0;
  #released = new Uint32Array(releasesPerMessage * 2);
  #releases = 0;
  /** Chunks that are asked for and not received. */
  #asked = 0;

  constructor(port: MessagePort, memory: SharedMemory, onOrder: (order: MergeOrder) => void) {
    this.#port = port;
    this.#memory = memory;
    port.on('message', (message: ToMergeThread) => {
      if (message.kind === 'merge') onOrder(message);
      else this.#received.push(message);
    });
  }

  send(message: FromMergeThread): void {
    this.#port.postMessage(message);
  }

  /**
   * The next chunk of changes of a column family; undefined when there is none. Those behind it are asked for ahead. When
   * another family's are asked for, all chunks of the one before are done with.
   */
  nextChanges(columnFamily: number): PackedChunk | undefined {
    if (this.#family !== columnFamily) {
      this.#family = columnFamily;
      this.#freeSlots = this.#memory.slots.map((_, slot) => slot);
    }
    for (; this.#asked < chunksAhead; this.#asked++) {
      const slot = this.#freeSlots.pop();
      if (slot === undefined) throw new Error('no slot is free for changes');
      this.send({ kind: 'next', columnFamily, slot });
    }
    const chunk = this.#receiveChunk();
    if (chunk.bytes.length > 0) return chunk;
    while (this.#asked > 0) this.#receiveChunk();
    return undefined;
  }

  #receiveChunk(): PackedChunk {
    const { slot, chunk } = this.#receive('changes');
    this.#asked--;
    const bytes = typeof chunk === 'number' ? this.#memory.slots[slot].subarray(0, chunk) : chunk;
    return { bytes, release: () => this.#freeSlots.push(slot) };
  }

  take(units: number): Run {
    return this.#take('run', units)[0];
  }

  takeSpread(units: number): readonly Run[] {
    return this.#take('spread', units);
  }

  /** Runs for pages are asked for many at a time. */
  takeUpTo(most: number): Run {
    if (this.#pagesAt === this.#pages.length) {
      this.#pages = this.#take('pages', most);
      this.#pagesAt = 0;
    }
    return this.#pages[this.#pagesAt++];
  }

  /** Leaves often lie side by side: what follows on the run before is made one with it. */
  release(start: number, length: number): void {
    const last = this.#releases * 2 - 2;
    if (last >= 0 && this.#released[last] + this.#released[last + 1] === start) {
      this.#released[last + 1] += length;
      return;
    }
    this.#released[this.#releases * 2] = start;
    this.#released[this.#releases * 2 + 1] = length;
    if (++this.#releases === releasesPerMessage) this.#sendReleased();
  }

  /** When a merge is done: gives back what was not used. */
  settle(): void {
    this.#family = -1;
    for (; this.#pagesAt < this.#pages.length; this.#pagesAt++) {
      const { start, length } = this.#pages[this.#pagesAt];
      this.release(start, length);
    }
    this.#sendReleased();
  }

  /** When a merge has failed, nothing that belongs to it may reach the next one. */
  forget(): void {
    this.#received.length = 0;
    this.#pages = [];
    this.#pagesAt = 0;
    this.#releases = 0;
    this.#asked = 0;
    this.#family = -1;
  }

  #take(as: TakeKind, units: number): readonly Run[] {
    this.send({ kind: 'take', as, units });
    return this.#receive('units').runs;
  }

  #sendReleased(): void {
    this.send({ kind: 'released', runs: this.#released.slice(0, this.#releases * 2) });
    this.#releases = 0;
  }

  #receive<Kind extends ToMergeThread['kind']>(kind: Kind): Extract<ToMergeThread, { kind: Kind }> {
    const isAnswer = (message: ToMergeThread): message is Extract<ToMergeThread, { kind: Kind }> =>
      message.kind === kind;
    for (;;) {
      const seen = Atomics.load(this.#memory.signal, 0);
      for (let message = this.#receiveNow(); message !== undefined; message = this.#receiveNow())
        this.#received.push(message);
      for (const [i, message] of this.#received.entries()) {
        if (message.kind === 'refused') throw receivedError(message.error);
        if (!isAnswer(message)) continue;
        this.#received.splice(i, 1);
        return message;
      }
      Atomics.wait(this.#memory.signal, 0, seen);
    }
  }

  #receiveNow(): ToMergeThread | undefined {
    const received = receiveMessageOnPort(this.#port) as { message: ToMergeThread } | undefined;
    return received?.message;
  }
}

const releasesPerMessage = 512;
