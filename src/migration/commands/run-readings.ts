import type { Reply } from '../../resp/index.js';
import type { KeyImage } from '../key-image.js';
import type { Command, KeyReading } from './reading.js';

/** Sends commands and gives their replies. */
export type Send = (commands: readonly Command[]) => Promise<readonly Reply[]>;

/**
 * Runs many readings side by side: what all of them ask for next goes out at once. Gives what `made` makes of their images, as
 * soon as each is there, in order; undefined where a key changed meanwhile.
 */
export const runReadings = async <Result>(
  readings: readonly KeyReading[],
  send: Send,
  made: (image: KeyImage) => Result,
): Promise<(Result | undefined)[]> => {
  const results: (Result | undefined)[] = new Array(readings.length).fill(undefined);
  let waiting: Waiting[] = [];
  const take = (reading: KeyReading, at: number, replies: readonly Reply[], still: Waiting[]): void => {
    const step = reading.next(replies);
    if (step.done !== true) still.push({ reading, at, commands: step.value });
    else if (step.value !== undefined) results[at] = made(step.value);
  };
  readings.forEach((reading, at) => {
    take(reading, at, [], waiting);
  });
  while (waiting.length > 0) {
    const replies = await send(waiting.flatMap(({ commands }) => commands));
    let from = 0;
    const next: Waiting[] = [];
    for (const { reading, at, commands } of waiting) {
      take(reading, at, replies.slice(from, from + commands.length), next);
      from += commands.length;
    }
    waiting = next;
  }
  return results;
};

/** A reading, the place of its image, and what it asks for. */
interface Waiting {
  readonly reading: KeyReading;
  readonly at: number;
  readonly commands: readonly Command[];
}
