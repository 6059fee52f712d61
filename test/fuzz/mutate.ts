import type { SeededRandom } from '../support/seeded-random.js';

/** The bytes with a few things wrong: flipped, lost, doubled, or of another place. Owns what it returns. */
export const mutate = (bytes: Buffer, random: SeededRandom): Buffer => {
  let result = Buffer.from(bytes);
  for (let faults = 1 + random.below(4); faults > 0 && result.length > 0; faults--) {
    const at = random.below(result.length);
    const end = at + random.below(Math.min(16, result.length - at) + 1);
    switch (random.below(5)) {
      case 0:
        result[at] = random.below(256);
        break;
      case 1:
        result[at] = (result[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(end)]);
        break;
      case 3:
        result = Buffer.concat([result.subarray(0, end), result.subarray(at)]);
        break;
      default:
        result = Buffer.from(result.subarray(0, at));
    }
  }
  return result;
};
