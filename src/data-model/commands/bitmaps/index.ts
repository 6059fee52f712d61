import type { DataCommand } from '../data-command.js';
import { bitCommands } from './bit-commands.js';
import { bitfieldCommands } from './bitfield-command.js';
import { bitopCommands } from './bitop-command.js';

/** Commands on bits, of bitmaps and of strings. */
export const bitmapCommands: readonly DataCommand[] = [...bitCommands, ...bitopCommands, ...bitfieldCommands];
