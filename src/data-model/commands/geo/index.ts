import type { DataCommand } from '../data-command.js';
import { geoPointCommands } from './point-commands.js';
import { geoSearchCommands } from './search-commands.js';

export const geoCommands: readonly DataCommand[] = [...geoPointCommands, ...geoSearchCommands];
