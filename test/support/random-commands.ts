import { bitmaps, hyperLogLogs } from './random-commands/bitmaps.js';
import { hashes, lists, sets } from './random-commands/collections.js';
import { geos } from './random-commands/geo.js';
import { dumps, keys } from './random-commands/keys.js';
import { sorts } from './random-commands/sorts.js';
import { streams } from './random-commands/streams.js';
import { strings } from './random-commands/strings.js';
import type { RandomCommand } from './random-commands/words.js';
import { lexSets, zsets } from './random-commands/zsets.js';
import type { SeededRandom } from './seeded-random.js';

export type { RandomCommand } from './random-commands/words.js';

/** Random commands over all common types, right and wrong ones. The same seed gives the same history. */
export const randomCommands = (random: SeededRandom): (() => RandomCommand) => {
  const families = [
    strings,
    keys,
    hashes,
    lists,
    sets,
    zsets,
    lexSets,
    bitmaps,
    streams(),
    hyperLogLogs,
    sorts,
    geos,
    dumps,
  ];
  return () => random.pick(random.pick(families))(random);
};
