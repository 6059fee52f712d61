import { readVarint32, readVarint64 } from '../bytes/index.js';
import { BlockCursor } from './block-cursor.js';

/** Where a block lies in its file; behind it come its compression and checksum. */
export interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/** How a table's index blocks are written. */
export interface IndexShape {
  /** Keys have no sequence number behind them. */
  readonly isUserKey: boolean;
  readonly isDelta: boolean;
  /** Each handle is followed by the first key of its block, with its length before it. */
  readonly hasFirstKey: boolean;
}

/** Compression type and checksum behind each block. */
export const trailerBytes = 5;

/** Walks an index block: each entry's key is at or behind every key of its block, and before those of the next. */
export class IndexCursor extends BlockCursor {
  offset = 0;
  size = 0;
  readonly #shape: IndexShape;

  constructor(block: Buffer, place: string, shape: IndexShape) {
    super(block, place, shape.isUserKey ? 0 : 8);
    this.#shape = shape;
  }

  override next(): void {
    super.next();
    if (this.valid && !this.#shape.isDelta) this.readValue(false, this.valueStart);
  }

  protected override get hasValueLength(): boolean {
    return !this.#shape.isDelta;
  }

  protected override readValue(isShared: boolean, at: number): number {
    const cursor = { bytes: this.block, offset: at, end: this.block.length };
    if (isShared && this.#shape.isDelta) {
      const zigzag = readVarint64(cursor);
      this.offset += this.size + trailerBytes;
      this.size += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    } else {
      this.offset = readVarint64(cursor);
      this.size = readVarint64(cursor);
    }
    if (this.#shape.hasFirstKey) {
      const length = readVarint32(cursor);
      if (length < 0) return -1;
      cursor.offset += length;
    }
    return this.offset < 0 || this.size < 0 ? -1 : cursor.offset;
  }
}

/** | offset varint64 | size varint64 | at `at`; undefined when there is none. */
export const readHandle = (bytes: Buffer, at: number): BlockHandle | undefined => {
  const cursor = { bytes, offset: at, end: bytes.length };
  const offset = readVarint64(cursor);
  const size = readVarint64(cursor);
  return offset < 0 || size < 0 ? undefined : { offset, size };
};
