import type { BlockMemory } from './block-memory.js';
import { FieldBytes } from './field-bytes.js';

/**
 * Rows in the binary format of COPY (PostgreSQL documentation, COPY, "Binary Format").
 *
 *   start   | 'PGCOPY' \n ff \r \n 00 | flags i32 = 0 | length of the extension i32 = 0
 *   row     | number of fields i16 | fields …
 *   end     | -1 i16
 */
export class CopyRows {
  readonly #columns: number;
  readonly #bytes: FieldBytes;

  /** @param memory of the blocks that `take` gives, until `release` */
  constructor(columns: number, memory: BlockMemory) {
    this.#columns = columns;
    this.#bytes = new FieldBytes(memory);
    this.#bytes.raw(start);
  }

  /** Begins a row; its fields are then written in the order of the columns. */
  start(): FieldBytes {
    this.#bytes.int2(this.#columns);
    return this.#bytes;
  }

  /** All of it. Nothing may be written any more. */
  take(): readonly Buffer[] {
    this.#bytes.int2(-1);
    return this.#bytes.take();
  }

  /** Nobody reads any more what was taken. */
  release(): void {
    this.#bytes.release();
  }
}

const start = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
