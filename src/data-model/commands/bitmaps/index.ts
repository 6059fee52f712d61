import type { DataCommand } from '../data-command.js';
import { bitCommands } from './bit-commands.js';
import { bitfieldCommands } from './bitfield-command.js';
import { bitopCommands } from './bitop-command.js';

export const bitmapCommands: readonly DataCommand[] = [...bitCommands, ...bitopCommands, ...bitfieldCommands];
