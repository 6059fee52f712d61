/** A line without its end, and its number, from 1. Borrows the piece that it came in. */
export interface Line {
  readonly bytes: Buffer;
  readonly number: number;
}

/** Splits a stream of pieces into lines, without empty ones. A line without its end yet waits for more. */
export class LineSplitter {
  #number = 0;
  /** What follows the last line end, in the pieces in which it came: joined once, however long it gets. */
  #rest: Buffer[] = [];

  /** Bytes behind the last line end. */
  get tornBytes(): number {
    return this.#rest.reduce((total, { length }) => total + length, 0);
  }

  /** The lines that end in a piece; what follows its last line end is kept. */
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

  /** Yields what follows the last line end as a line, and forgets it. */
  *end(): Generator<Line> {
    if (this.#rest.length > 0) yield { bytes: Buffer.concat(this.#rest), number: this.#number + 1 };
    this.#rest = [];
  }
}

const lineEnd = 0x0a;
