import type { DataCommand } from '../data-command.js';
import { addCommands } from './add-commands.js';
import { zsetAlgebraCommands } from './algebra-commands.js';
import { rangeCommands } from './range-commands.js';
import { zsetReadCommands } from './read-commands.js';
import { removeCommands } from './remove-commands.js';

/** Commands on sorted sets. */
export const zsetCommands: readonly DataCommand[] = [
  ...addCommands,
  ...rangeCommands,
  ...removeCommands,
  ...zsetReadCommands,
  ...zsetAlgebraCommands,
];
