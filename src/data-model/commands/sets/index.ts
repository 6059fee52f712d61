import type { DataCommand } from '../data-command.js';
import { setAlgebraCommands } from './algebra-commands.js';
import { memberCommands } from './member-commands.js';

/** Commands on sets. */
export const setTypeCommands: readonly DataCommand[] = [...memberCommands, ...setAlgebraCommands];
