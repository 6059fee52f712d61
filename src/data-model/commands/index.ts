/** The inner door of the commands: those who only read, decode or copy data do not load them. */

export { doubleText, parseInteger } from './arguments.js';
export { CommandContext, type CommandServices, commandServices } from './command-context.js';
export { dataCommands } from './command-table.js';
export { CommandTransaction } from './command-transaction.js';
export {
  type DataCommand,
  fitsArity,
  type KeyPositions,
  keysOfCall,
  noKeys,
  parseSubcommands,
  type Subcommands,
  type Wait,
  wrongWords,
} from './data-command.js';
export { type CommandValue, type CommandWord, Database, type DatabaseOptions } from './database.js';
export { moveKey } from './keys/copy-commands.js';
export { ErrorReply, ownReply, type Reply } from './reply.js';
export { readString } from './strings/string-value.js';
