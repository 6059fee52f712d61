import { randomUUID } from 'node:crypto';
import {
  type Change,
  EventEncoder,
  parseEvent,
  TailraceError,
  type Transaction,
  withChanges,
} from '../../kit/index.js';

/** A change that could not be delivered, or not be decoded. */
export interface DeadLetter {
  readonly pipeline: string;
  /** Name of the sink that it was for. */
  readonly sink: string;
  readonly sequence: number;
  readonly code: string;
  readonly reason: string;
  /** The batch as it stands in the log. */
  readonly transaction: Transaction;
  /** The change as the sink refused it; absent when it could not be decoded. */
  readonly change?: Change;
}

/** A dead letter as it is kept: one JSON object. */
export interface StoredLetter {
  readonly id: string;
  /** ISO 8601 */
  readonly at: string;
  readonly pipeline: string;
  readonly sink: string;
  readonly sequence: number;
  readonly code: string;
  readonly reason: string;
  readonly first: number;
  readonly last: number;
  /** The whole batch as it stands in the log, in base64; empty for keys that a snapshot read. */
  readonly batch: string;
  /** The refused change as a change event. */
  readonly event?: object;
}

/** Where undeliverable changes go. When `add` resolves they are durable, and the pipeline moves on. */
export interface DeadLetterTarget extends AsyncDisposable {
  add(letters: readonly DeadLetter[]): Promise<void>;
  /** What has not been settled, in the order in which it came. */
  list(): Promise<readonly StoredLetter[]>;
  /** These were delivered after all, or given up. */
  settle(ids: readonly string[]): Promise<void>;
}

export const storedLetter = ({ transaction, change, ...letter }: DeadLetter): StoredLetter => {
  const { first, last, bytes } = transaction;
  const encoder = new EventEncoder({ connector: 'tailrace', name: letter.pipeline });
  return {
    id: randomUUID(),
    at: new Date().toISOString(),
    ...letter,
    first,
    last,
    batch: bytes.toString('base64'),
    ...(change === undefined
      ? {}
      : {
          event: JSON.parse(encoder.encode(withChanges(transaction, [change]), change).toString()) as object,
        }),
  };
};

/** Reads a letter back. @throws TailraceError `DEAD_LETTERS_FAILED` for what is none, with its place */
export const parseLetter = (
  text: string,
  place: string,
): StoredLetter | { readonly settled: readonly string[] } => {
  let letter: unknown;
  try {
    letter = JSON.parse(text);
  } catch (cause) {
    throw notALetter(place, cause);
  }
  if (typeof letter === 'object' && letter !== null) {
    if ('settled' in letter && Array.isArray(letter.settled)) return letter as { settled: string[] };
    if ('id' in letter && 'batch' in letter && 'sequence' in letter) return letter as StoredLetter;
  }
  throw notALetter(place);
};

/** The refused change; undefined when the batch could not be decoded. */
export const changeOf = ({ event }: StoredLetter): Change | undefined =>
  event && parseEvent(JSON.stringify(event)).change;

const notALetter = (place: string, cause?: unknown): TailraceError =>
  new TailraceError('DEAD_LETTERS_FAILED', `${place} is no dead letter`, {
    context: { place },
    remedy: 'Something else was written there: mend that place, or name another file or stream.',
    cause,
  });
