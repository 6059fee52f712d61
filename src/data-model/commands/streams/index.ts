import type { DataCommand } from '../data-command.js';
import { streamEntryCommands } from './entry-commands.js';
import { groupCommands } from './group-commands.js';
import { infoCommands } from './info-commands.js';
import { pendingCommands } from './pending-commands.js';
import { streamReadCommands } from './read-commands.js';

/** Commands on streams and their groups of consumers. */
export const streamCommands: readonly DataCommand[] = [
  ...streamEntryCommands,
  ...streamReadCommands,
  ...groupCommands,
  ...pendingCommands,
  ...infoCommands,
];
