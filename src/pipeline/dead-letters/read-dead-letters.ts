import { type Line, LineSplitter, parseEvent, TailraceError } from '../../kit/index.js';
import { type DeadLetterTarget, parseLetter, type StoredLetter } from './dead-letters.js';

/**
 * Dead letters that somebody has read where a sink wrote them, such as from a Kafka topic: one a line, each a letter, or
 * the change event that holds it as its value. To settle one is to forget it here; it stays where it was read.
 */
export class ReadDeadLetters implements DeadLetterTarget {
  readonly #letters = new Map<string, StoredLetter>();

  /**
   * @param pieces what was written there, as it is read
   * @param place where it is from, for messages
   * @throws TailraceError `DEAD_LETTERS_FAILED` with the line
   */
  static async read(pieces: AsyncIterable<Buffer>, place: string): Promise<ReadDeadLetters> {
    const letters = new ReadDeadLetters();
    const splitter = new LineSplitter();
    for await (const piece of pieces) for (const line of splitter.split(piece)) letters.#take(line, place);
    for (const line of splitter.end()) letters.#take(line, place);
    return letters;
  }

  private constructor() {}

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

  /** Nothing is open; what was read serves for several pipelines. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #take({ bytes, number }: Line, place: string): void {
    const line = bytes.toString();
    if (line.trim() === '') return;
    const letter = parseLetter(letterText(line), `${place}:${number}`);
    if ('settled' in letter) for (const id of letter.settled) this.#letters.delete(id);
    else this.#letters.set(letter.id, letter);
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
