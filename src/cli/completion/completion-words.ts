import type { Command, Option } from 'commander';

interface Word {
  readonly word: string;
  readonly meaning: string;
}

/** An option by its names, such as `--dir` and `-d`. */
export interface CompletionOption extends Word {
  readonly names: readonly string[];
  /** Whether a value stands behind it, and those that there are; none: anything, such as a file. */
  readonly values: readonly string[] | undefined;
}

/** What may stand behind a command. */
export interface CompletionWords {
  /** The names of the commands that lead here, such as `checkpoint create`; empty for none. */
  readonly path: string;
  /** The commands below it. */
  readonly commands: readonly Word[];
  readonly options: readonly CompletionOption[];
  /** What its arguments may be, none: anything, such as a file. Undefined where it takes none. */
  readonly argumentValues: readonly string[] | undefined;
}

/** Of every command that there is, those above before those below. */
export const completionWords = (program: Command): CompletionWords[] => walk(program, [], []);

const walk = (command: Command, path: readonly string[], inherited: readonly Option[]): CompletionWords[] => {
  const options = [...command.options, ...inherited].filter(({ hidden }) => !hidden);
  const args = command.registeredArguments;
  return [
    {
      path: path.join(' '),
      commands: command.commands.map((child) => ({ word: child.name(), meaning: child.description() })),
      options: [...options.flatMap(optionOf), help],
      argumentValues: args.length === 0 ? undefined : args.flatMap(({ argChoices }) => argChoices ?? []),
    },
    ...command.commands.flatMap((child) => walk(child, [...path, child.name()], options)),
  ];
};

const optionOf = ({ long, short, description, required, argChoices }: Option): CompletionOption[] =>
  long == null
    ? []
    : [
        {
          word: long,
          meaning: description,
          names: short == null ? [long] : [long, short],
          values: required ? (argChoices ?? []) : undefined,
        },
      ];

const help: CompletionOption = {
  word: '--help',
  meaning: 'display help for command',
  names: ['--help', '-h'],
  values: undefined,
};
