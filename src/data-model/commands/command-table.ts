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

/** Every command on data, by name in lower case. */
export const dataCommands: ReadonlyMap<string, DataCommand> = new Map(
  [
    keyCommands,
    dumpCommands,
    stringCommands,
    hashCommands,
    listCommands,
    setTypeCommands,
    zsetCommands,
    bitmapCommands,
    streamCommands,
    jsonCommands,
    hyperLogLogCommands,
    geoCommands,
    sortedIntCommands,
    bloomCommands,
  ]
    .flat()
    .map((command) => [command.name, command]),
);
