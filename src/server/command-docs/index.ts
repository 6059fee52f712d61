import { collectionDocs } from './collection-docs.js';
import type { CommandDoc } from './command-doc.js';
import { keyDocs } from './key-docs.js';
import { moduleDocs } from './module-docs.js';
import { serverDocs } from './server-docs.js';

export { parseSyntax } from './syntax.js';
export { writeDoc } from './write-doc.js';

const docs: readonly CommandDoc[] = [...keyDocs, ...collectionDocs, ...moduleDocs, ...serverDocs];

/** By name in lower case; a subcommand's is such as `client list`. */
export const commandDocs: ReadonlyMap<string, CommandDoc> = new Map(docs.map((doc) => [doc.name, doc]));

export const subcommandsOf = (name: string): readonly CommandDoc[] =>
  docs.filter((doc) => doc.name.startsWith(`${name} `));
