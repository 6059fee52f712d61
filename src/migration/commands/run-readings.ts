import type { Reply } from '../../resp/index.js';
import type { KeyImage } from '../key-image.js';
import type { Command, KeyReading } from './reading.js';

/** Sends commands and gives their replies. */
export type Send = (commands: readonly Command[]) => Promise<readonly Reply[]>;

/**
 * Runs many readings side by side: what all of them ask for next goes out at once. Gives their images in order; undefined
 * where a key changed meanwhile.
 */
export const runReadings = async (
  readings: readonly KeyReading[],
  send: Send,
): Promise<(KeyImage | undefined)[]> => {
  const images: (KeyImage | undefined)[] = new Array(readings.length).fill(undefined);
  let waiting = readings.map((reading, at) => ({ reading, at, commands: firstOf(reading, images, at) }));
  waiting = waiting.filter(({ commands }) => commands.length > 0);
  while (waiting.length > 0) {
    const replies = await send(waiting.flatMap(({ commands }) => commands));
    let from = 0;
    const next: typeof waiting = [];
    for (const { reading, at, commands } of waiting) {
      const result = reading.next(replies.slice(from, from + commands.length));
      from += commands.length;
      if (result.done === true) images[at] = result.value;
      else next.push({ reading, at, commands: result.value });
    }
    waiting = next;
  }
  return images;
};

const firstOf = (reading: KeyReading, images: (KeyImage | undefined)[], at: number): readonly Command[] => {
  const result = reading.next([]);
  if (result.done !== true) return result.value;
  images[at] = result.value;
  return [];
};
