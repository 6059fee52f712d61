import type { DataCommand } from '../data-command.js';
import { jsonDocumentCommands } from './document-commands.js';
import { jsonValueCommands } from './value-commands.js';

/** Commands on JSON documents. */
export const jsonCommands: readonly DataCommand[] = [...jsonDocumentCommands, ...jsonValueCommands];
