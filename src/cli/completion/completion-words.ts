import type { Command, Option } from 'commander';

/** What may stand behind a command: names of commands below it and options, each with its meaning. */
export interface CompletionWords {
  /** The names of the commands that lead here, such as `checkpoint create`; empty for none. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly meaning: string }[];
  /** The values that an option takes, where they are known: `--sync` → `always interval none`. */
  readonly choices: readonly { readonly option: string; readonly values: readonly string[] }[];
}

/** Of every command that there is, those above before those below. */
export const completionWords = (program: Command): CompletionWords[] => walk(program, [], []);

const walk = (command: Command, path: readonly string[], inherited: readonly Option[]): CompletionWords[] => {
  const options = [...command.options, ...inherited].filter(({ hidden }) => !hidden);
  const named = options.flatMap(({ long, description }) =>
    long == null ? [] : [{ word: long, meaning: description }],
  );
  const below = command.commands.map((child) => ({ word: child.name(), meaning: child.description() }));
  const choices = options.flatMap(({ long, argChoices }) =>
    long == null || argChoices === undefined ? [] : [{ option: long, values: argChoices }],
  );
  return [
    { path: path.join(' '), words: [...below, ...named, help], choices },
    ...command.commands.flatMap((child) => walk(child, [...path, child.name()], options)),
  ];
};

const help = { word: '--help', meaning: 'display help for command' };
