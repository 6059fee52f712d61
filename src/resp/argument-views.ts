/**
 * Views of memory that requests are read into again and again. Commands of one shape have their arguments at the same
 * places each time, and a view that is there from the time before costs a small part of a new one.
 *
 * A view is kept when it is wanted twice in a row, so that commands whose shapes vary leave nothing behind. One view is
 * given to many commands: whoever remembers arguments by their identity must forget them with the command.
 * Hot: bench `server`.
 */
export class ArgumentViews {
  readonly memory: Buffer;
  /** By where they start. */
  readonly #views: (Buffer | undefined)[] = new Array(keptPlaces).fill(undefined);
  /** Length of the view that was wanted last, by where it starts. */
  readonly #lengths = new Int32Array(keptPlaces);

  constructor(memory: Buffer) {
    this.memory = memory;
  }

  /** The bytes from `start` to `end` of the memory. Not to be kept, nor to be told from another view by identity. */
  of(start: number, end: number): Buffer {
    if (start >= keptPlaces) return this.memory.subarray(start, end);
    const length = end - start;
    const known = this.#views[start];
    if (known !== undefined && known.length === length) return known;
    const view = this.memory.subarray(start, end);
    if (this.#lengths[start] === length) this.#views[start] = view;
    this.#lengths[start] = length;
    return view;
  }
}

/** Few chunks of small commands are longer. */
const keptPlaces = 8 * 1024;
