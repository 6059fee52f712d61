import type { Logger } from '../../kit/index.js';
import { parseLetter, type StoredLetter } from './dead-letters.js';

/** What lines of dead letters come to: those that no later line settles, in the order in which they came. */
export class LetterLines {
  readonly #pending = new Map<string, StoredLetter>();
  readonly #place: string;
  readonly #log: Logger;

  /** @param place where the lines are from, for messages */
  constructor(place: string, log: Logger) {
    this.#place = place;
    this.#log = log;
  }

  get pending(): StoredLetter[] {
    return [...this.#pending.values()];
  }

  /** @throws TailraceError `DEAD_LETTERS_FAILED` for what is none, with the line; one that is torn is told and passed over */
  take(line: string, number: number): void {
    const place = `${this.#place}:${number}`;
    if (isTorn(line)) {
      this.#log.warn('a torn dead letter is passed over: whoever wrote it ended before it was durable', {
        place,
        bytes: Buffer.byteLength(line),
      });
      return;
    }
    const entry = parseLetter(line, place);
    if ('settled' in entry) this.settle(entry.settled);
    else this.#pending.set(entry.id, entry);
  }

  settle(ids: readonly string[]): void {
    for (const id of ids) this.#pending.delete(id);
  }
}

/** Begins as a line of ours, or with bytes that never got to the disk, and is no JSON. */
const isTorn = (line: string): boolean => {
  const begins =
    line.startsWith('\0') || beginnings.some((text) => line.startsWith(text.slice(0, line.length)));
  if (!begins) return false;
  try {
    JSON.parse(line);
    return false;
  } catch {
    return true;
  }
};

const beginnings = ['{"id":"', '{"settled":['];
