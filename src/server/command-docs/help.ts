import { subcommandsOf } from './command-docs.js';

/** The lines that a command answers HELP with; undefined for one without subcommands. */
export const helpOf = (name: string): readonly string[] | undefined => {
  const subcommands = subcommandsOf(name);
  if (subcommands.length === 0) return undefined;
  return [
    `${name.toUpperCase()} <subcommand> [<arg> ...]. Subcommands are:`,
    ...subcommands.flatMap((doc) => [
      `${doc.name.slice(name.length + 1).toUpperCase()} ${doc.syntax.replaceAll('…', ' ...')}`.trimEnd(),
      `    ${doc.summary}.`,
    ]),
  ];
};

/** True of a call such as `XINFO HELP`. */
export const isHelp = (args: readonly Buffer[]): boolean =>
  args.length === 2 && args[1].toString('latin1').toLowerCase() === 'help';
