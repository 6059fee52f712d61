import { type Line, LineSplitter, type Logger, parseEvent, TailraceError } from '../../kit/index.js';
import type { DeadLetterTarget, StoredLetter } from './dead-letters.js';
import { LetterLines } from './letter-lines.js';

/**
 * Dead letters that somebody has read where a sink wrote them, such as from a Kafka topic: one a line, each a letter, or
 * the change event that holds it as its value. To settle one is to forget it here; it stays where it was read.
 */
export class ReadDeadLetters implements DeadLetterTarget {
  readonly #letters: LetterLines;

  /**
   * @param pieces what was written there, as it is read
   * @param place where it is from, for messages
   * @throws TailraceError `DEAD_LETTERS_FAILED` with the line
   */
  static async read(pieces: AsyncIterable<Buffer>, place: string, log: Logger): Promise<ReadDeadLetters> {
    const letters = new LetterLines(place, log);
    const take = ({ bytes, number }: Line): void => {
      const line = bytes.toString();
      if (line.trim() !== '') letters.take(letterText(line), number);
    };
    const splitter = new LineSplitter();
    for await (const piece of pieces) for (const line of splitter.split(piece)) take(line);
    for (const line of splitter.end()) take(line);
    return new ReadDeadLetters(letters);
  }

  private constructor(letters: LetterLines) {
    this.#letters = letters;
  }

  async list(): Promise<readonly StoredLetter[]> {
    return this.#letters.pending;
  }

  async settle(ids: readonly string[]): Promise<void> {
    this.#letters.settle(ids);
  }

  async add(): Promise<void> {
    throw new TailraceError('USAGE', 'dead letters that were read are not written to', {
      remedy: 'Give the pipeline a place for its dead letters that can be written to.',
    });
  }

  /** Nothing is open; what was read serves for several pipelines. */
  async [Symbol.asyncDispose](): Promise<void> {}
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
