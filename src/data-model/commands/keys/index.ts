import type { DataCommand } from '../data-command.js';
import { copyCommands } from './copy-commands.js';
import { existenceCommands } from './existence-commands.js';
import { expireCommands } from './expire-commands.js';
import { metadataCommands } from './metadata-command.js';
import { sortCommands } from './sort-command.js';
import { walkCommands } from './walk-commands.js';

/** Commands on keys of any type. */
export const keyCommands: readonly DataCommand[] = [
  ...existenceCommands,
  ...expireCommands,
  ...copyCommands,
  ...walkCommands,
  ...sortCommands,
  ...metadataCommands,
];
