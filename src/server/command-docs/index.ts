export { commandDocs, subcommandsOf } from './command-docs.js';
export { helpOf, isHelp } from './help.js';
export { writeDoc } from './write-doc.js';
