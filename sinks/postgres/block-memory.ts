/**
 * Blocks of one size, which are used again once the server has what was in them: new ones for each write would wait by
 * the megabyte for the garbage collector.
 */
export class BlockMemory {
  static readonly blockBytes = 256 * 1024;
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BlockMemory.blockBytes);
  }

  /** Gives back what nobody reads any more. Some of it is kept, not the memory of the largest write ever. */
  give(blocks: readonly Buffer[]): void {
    this.#free.push(...blocks.slice(0, Math.max(0, maxFreeBlocks - this.#free.length)));
  }
}

const maxFreeBlocks = 16;
