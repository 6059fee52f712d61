import { parseEvent, TailraceError } from '../../kit/index.js';
import { type DeadLetterTarget, parseLetter, type StoredLetter } from './dead-letters.js';

/**
 * Dead letters that somebody has read where a sink wrote them, such as from a Kafka topic: one a line, each a letter, or
 * the change event that holds it as its value. To settle one is to forget it here; it stays where it was read.
 */
export class ReadDeadLetters implements DeadLetterTarget {
  readonly #letters = new Map<string, StoredLetter>();

  /** @param place where the text is from, for messages @throws TailraceError `DEAD_LETTERS_FAILED` with the line */
  constructor(text: string, place: string) {
    for (const [at, line] of text.split('\n').entries()) {
      if (line.trim() === '') continue;
      const where = `${place}:${at + 1}`;
      const letter = parseLetter(letterText(line), where);
      if ('settled' in letter) for (const id of letter.settled) this.#letters.delete(id);
      else this.#letters.set(letter.id, letter);
    }
  }

  async list(): Promise<readonly StoredLetter[]> {
    return [...this.#letters.values()];
  }

  async settle(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#letters.delete(id);
  }

  async add(): Promise<void> {
    throw new TailraceError('USAGE', 'dead letters that were read are not written to', {
      remedy: 'Give the pipeline a place for its dead letters that can be written to.',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#letters.clear();
  }
}

/** The letter in a change event; what is no event is the letter itself, or nothing. */
const letterText = (line: string): string => {
  try {
    const { change } = parseEvent(line);
    return 'value' in change && change.op === 'put' ? Buffer.from(change.value).toString() : line;
  } catch {
    return line;
  }
};
