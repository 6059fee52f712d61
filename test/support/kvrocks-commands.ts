import { type RandomCommand, randomCommands } from './random-commands.js';
import type { SeededRandom } from './seeded-random.js';

/**
 * Random commands for a real Kvrocks (2.11), without those that it treats in a way of its own: waits of less than a second
 * have no end there; a time to live of which the sum is too large gives some time or other; a key that gets the version of
 * another with its data (COPY, RENAME) holds again what it held when it last had that version, of which the log says
 * nothing; SETRANGE writes into whatever a key of another type holds, and APPEND into what an expired one held; and a command
 * that it has not (TOUCH) it refuses with the words as they are, so that a line break in one makes two replies.
 */
export const kvrocksCommands = (random: SeededRandom): (() => RandomCommand) => {
  const next = randomCommands(random);
  return () => {
    let words = next();
    while (isOdd(words)) words = next();
    return words;
  };
};

const isOdd = (words: RandomCommand): boolean =>
  /^(APPEND|B[LRZ]|COPY|RENAME|SETRANGE|TOUCH)/.test(String(words[0])) ||
  words.includes('BLOCK') ||
  words.includes('99999999999999999');
