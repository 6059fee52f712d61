import type { DataCommand } from '../data-command.js';
import { hashReadCommands } from './read-commands.js';
import { hashWriteCommands } from './write-commands.js';

/** Commands on hashes. */
export const hashCommands: readonly DataCommand[] = [...hashReadCommands, ...hashWriteCommands];
