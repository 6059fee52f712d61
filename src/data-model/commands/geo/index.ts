import type { DataCommand } from '../data-command.js';
import { geoPointCommands } from './point-commands.js';
import { geoSearchCommands } from './search-commands.js';

/** Commands on places, which are sorted sets by geohash. */
export const geoCommands: readonly DataCommand[] = [...geoPointCommands, ...geoSearchCommands];
