import type { DataCommand } from '../data-command.js';
import { conditionalCommands } from './conditional-commands.js';
import { countCommands } from './count-commands.js';
import { editCommands } from './edit-commands.js';
import { lcsCommands } from './lcs-command.js';
import { setCommands } from './set-commands.js';

/** Commands on strings. */
export const stringCommands: readonly DataCommand[] = [
  ...setCommands,
  ...editCommands,
  ...countCommands,
  ...lcsCommands,
  ...conditionalCommands,
];
