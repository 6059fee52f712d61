import type { DataCommand } from '../data-command.js';
import { listEditCommands } from './edit-commands.js';
import { moveCommands } from './move-commands.js';
import { pushPopCommands } from './push-pop-commands.js';
import { listReadCommands } from './read-commands.js';

/** Commands on lists. */
export const listCommands: readonly DataCommand[] = [
  ...pushPopCommands,
  ...moveCommands,
  ...listEditCommands,
  ...listReadCommands,
];
