import { bitmapCommands } from './bitmaps/index.js';
import { bloomCommands } from './blooms/index.js';
import type { DataCommand } from './data-command.js';
import { dumpCommands } from './dump/index.js';
import { geoCommands } from './geo/index.js';
import { hashCommands } from './hashes/index.js';
import { hyperLogLogCommands } from './hyperloglogs/index.js';
import { jsonCommands } from './json/index.js';
import { keyCommands } from './keys/index.js';
import { listCommands } from './lists/index.js';
import { setTypeCommands } from './sets/index.js';
import { sortedIntCommands } from './sortedints/index.js';
import { streamCommands } from './streams/index.js';
import { stringCommands } from './strings/index.js';
import { zsetCommands } from './zsets/index.js';

/** The groups in which Redis' documentation has the commands, and its modules. */
const groups = {
  generic: [...keyCommands, ...dumpCommands],
  string: stringCommands,
  hash: hashCommands,
  list: listCommands,
  set: setTypeCommands,
  'sorted-set': zsetCommands,
  bitmap: bitmapCommands,
  stream: streamCommands,
  json: jsonCommands,
  hyperloglog: hyperLogLogCommands,
  geo: geoCommands,
  'sorted-int': sortedIntCommands,
  bf: bloomCommands,
} as const satisfies Record<string, readonly DataCommand[]>;

/** Every command on data, by name in lower case. */
export const dataCommands: ReadonlyMap<string, DataCommand> = new Map(
  Object.values(groups)
    .flat()
    .map((command) => [command.name, command]),
);

/** The group of a command on data, by its name in lower case. */
export const dataCommandGroups: ReadonlyMap<string, string> = new Map(
  Object.entries(groups).flatMap(([group, commands]) => commands.map(({ name }) => [name, group] as const)),
);
