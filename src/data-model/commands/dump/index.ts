export { dumpCommands } from './dump-commands.js';
