/** A line without its end, and its number, from 1. It borrows a piece of what was read. */
export interface Line {
  readonly bytes: Buffer;
  readonly number: number;
}

/** Cuts what comes in pieces into lines; empty ones are passed over. What has no line end yet waits for it. */
export class LineSplitter {
  #number = 0;
  /** What stands behind the last line end, in the pieces in which it came: put together once, however long it gets. */
  #rest: Buffer[] = [];

  /** Bytes behind the last line end. */
  get tornBytes(): number {
    return this.#rest.reduce((total, { length }) => total + length, 0);
  }

  /** The lines that end in a piece, which is kept as far as it has no line end. */
  *split(piece: Buffer): Generator<Line> {
    let start = 0;
    for (let end = piece.indexOf(lineEnd); end >= 0; end = piece.indexOf(lineEnd, start)) {
      const tail = piece.subarray(start, end);
      const line = this.#rest.length === 0 ? tail : Buffer.concat([...this.#rest, tail]);
      this.#rest = [];
      start = end + 1;
      this.#number++;
      if (line.length > 0) yield { bytes: line, number: this.#number };
    }
    if (start < piece.length) this.#rest.push(piece.subarray(start));
  }

  /** What stands behind the last line end, as a line, and nothing is left of it. */
  *end(): Generator<Line> {
    if (this.#rest.length > 0) yield { bytes: Buffer.concat(this.#rest), number: this.#number + 1 };
    this.#rest = [];
  }
}

const lineEnd = 0x0a;
