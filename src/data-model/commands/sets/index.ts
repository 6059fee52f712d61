import type { DataCommand } from '../data-command.js';
import { setAlgebraCommands } from './algebra-commands.js';
import { memberCommands } from './member-commands.js';

export const setTypeCommands: readonly DataCommand[] = [...memberCommands, ...setAlgebraCommands];
