import {
  isTailraceError,
  type Line,
  type ParsedEvent,
  parseEvent,
  type SourceBatch,
  TailraceError,
  type Transaction,
} from '../../src/kit/index.js';

/**
 * Collects the events of each transaction into one batch: its bytes are the lines, so that its fingerprint is that of
 * the lines too.
 */
export class EventBatches {
  #lines: Buffer[] = [];
  #tx: ParsedEvent['tx'] | undefined;
  /** Sequence number of the last batch. */
  #lastFirst = 0;

  /** Events of a transaction that is not whole yet. */
  get pending(): number {
    return this.#lines.length;
  }

  /** The batch that this line completes. @throws TailraceError `EVENT_INVALID` with file and line */
  add({ bytes, number }: Line, path: string): SourceBatch | undefined {
    const { tx, change } = parse(bytes, path, number);
    if (this.#tx === undefined && tx.first === this.#lastFirst && change.index >= firstSnapshotIndex)
      throw severalOfSnapshot(path, number, tx.first);
    if (this.#tx !== undefined && tx.first !== this.#tx.first)
      throw misplaced(path, number, `the transaction ${this.#tx.first} has ${this.#tx.size} changes`);
    this.#tx = tx;
    this.#lines.push(bytes);
    if (this.#lines.length < tx.size) return undefined;
    const batch = {
      sequence: tx.first,
      count: tx.last - tx.first + 1,
      bytes: Buffer.concat(this.#lines.flatMap((line) => [line, lineEnd])),
    };
    this.#lines = [];
    this.#tx = undefined;
    this.#lastFirst = tx.first;
    return batch;
  }
}

/** What the lines of a batch mean. */
export class EventLinesDecoder {
  decode(batch: Buffer): Transaction {
    const events = batch
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map(parseEvent);
    const { first, last } = events[0].tx;
    return {
      ...{ first, last, count: last - first + 1, bytes: batch },
      changes: events.map(({ change }) => change),
      undecodable: [],
    };
  }
}

const parse = (line: Buffer, path: string, number: number): ParsedEvent => {
  try {
    return parseEvent(line.toString());
  } catch (cause) {
    if (!isTailraceError(cause, 'EVENT_INVALID')) throw cause;
    throw new TailraceError('EVENT_INVALID', `${path}, line ${number}: ${cause.message}`, {
      context: { ...cause.context, file: path, line: number },
      remedy: cause.remedy,
      cause,
    });
  }
};

const misplaced = (path: string, number: number, reason: string): TailraceError =>
  new TailraceError('EVENT_INVALID', `${path}, line ${number} begins another transaction, but ${reason}`, {
    context: { file: path, line: number },
    remedy: 'Lines are missing: give the files as the file sink wrote them.',
  });

/** Batches are told apart by their sequence numbers, and the parts of a snapshot have one for all of them. */
const severalOfSnapshot = (path: string, number: number, sequence: number): TailraceError =>
  new TailraceError(
    'SOURCE_UNSUPPORTED',
    `${path}, line ${number} goes on with the keys of a snapshot, which cannot be delivered from a file`,
    {
      context: { file: path, line: number, sequence },
      remedy: 'Give the new target a snapshot of its own (snapshot: initial, or tailrace migrate).',
    },
  );

/** Where the changes of a snapshot begin to count within a sequence number. */
const firstSnapshotIndex = 1_000_000;
const lineEnd = Buffer.from('\n');
