import { refusedCommands } from '../refused-commands.js';
import { collectionDocs } from './collection-docs.js';
import type { CommandDoc } from './command-doc.js';
import { keyDocs } from './key-docs.js';
import { moduleDocs } from './module-docs.js';
import { serverDocs } from './server-docs.js';

const refusedDocs = refusedCommands.flatMap(({ group, summary, commands }) =>
  commands.map((command): CommandDoc => ({ ...command, group, summary, complexity: 'O(1)', syntax: '' })),
);

const written: readonly CommandDoc[] = [
  ...keyDocs,
  ...collectionDocs,
  ...moduleDocs,
  ...serverDocs,
  ...refusedDocs,
];

const parents = new Set(
  written.flatMap(({ name }) => (name.includes(' ') ? [name.slice(0, name.indexOf(' '))] : [])),
);

/** HELP is a subcommand of each command that has some. */
const helps = written
  .filter(({ name }) => parents.has(name))
  .map(
    (doc): CommandDoc => ({
      ...doc,
      name: `${doc.name} help`,
      complexity: 'O(1)',
      summary: 'Lists the subcommands',
      syntax: '',
    }),
  );

const docs = [...written, ...helps];

/** By name in lower case; a subcommand's is such as `client list`. */
export const commandDocs: ReadonlyMap<string, CommandDoc> = new Map(docs.map((doc) => [doc.name, doc]));

/** What is known of the subcommands of a command; empty when it has none. */
export const subcommandsOf = (name: string): readonly CommandDoc[] =>
  docs.filter((doc) => doc.name.startsWith(`${name} `));
