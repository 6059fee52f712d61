import type { CompletionOption, CompletionWords } from './completion-words.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A script that makes the shell complete the command line; where there is nothing else to say, files. */
export const completionScript = (shell: Shell, commands: readonly CompletionWords[]): string =>
  scripts[shell](commands);

/** Patterns of `case`, one for each command below the first, as `reached` gathers them. */
const reachable = (commands: readonly CompletionWords[], separator: string): string =>
  commands
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${reachedBy(path)}'`)
    .join(separator);

/** With a blank before each name. In zsh no variable may be called `path`: it is PATH. */
const reachedBy = (path: string): string => (path === '' ? '' : ` ${path}`);

/** Finds the command that the words before the cursor name, as bash and zsh read it alike. */
const commandOf = (commands: readonly CompletionWords[]): string => `    case "$reached $word" in
      ${reachable(commands, '|')}) reached="$reached $word" ;;
    esac`;

/** The cases of options that have values: `say` does what is to be done for those that are known, or for none. */
const valueCases = (
  commands: readonly CompletionWords[],
  say: (values: readonly string[]) => string,
): string => {
  const cases = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, values }) =>
      values === undefined
        ? []
        : [`    ${names.map((name) => `'${reachedBy(path)}:${name}'`).join('|')}) ${say(values)} ;;`],
    ),
  );
  return cases.join('\n');
};

const bash = (commands: readonly CompletionWords[]): string => `# tailrace completion bash
_tailrace() {
  local word reached='' current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=''
  if [[ "$current" == '=' ]]; then current=''; elif [[ "$before" == '=' ]]; then before="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${commandOf(commands)}
  done
  case "$reached:$before" in
${valueCases(commands, (values) => `words='${values.join(' ')}'`)}
    *) case "$reached:$current" in
${commands.map((command) => wordCases(command, (words) => `words='${words.map(({ word }) => word).join(' ')}'`)).join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _tailrace tailrace
`;

/** What stands behind a command that is no value of an option: options behind a dash only, where there are arguments. */
const wordCases = (
  { path, commands, options, argumentValues }: CompletionWords,
  say: (words: readonly { word: string; meaning: string }[]) => string,
): string =>
  argumentValues === undefined
    ? `      '${reachedBy(path)}:'*) ${say([...commands, ...options])} ;;`
    : `      '${reachedBy(path)}:-'*) ${say(options)} ;;
      '${reachedBy(path)}:'*) ${say(argumentValues.map((word) => ({ word, meaning: '' })))} ;;`;

const zsh = (commands: readonly CompletionWords[]): string => `#compdef tailrace
# tailrace completion zsh
_tailrace() {
  local word reached='' current="\${words[CURRENT]}" before="\${words[CURRENT-1]}"
  local -a found
  if [[ "$current" == --*=* ]]; then before="\${current%%=*}"; compset -P 1 '*='; fi
  for word in "\${(@)words[2,CURRENT-1]}"; do
${commandOf(commands)}
  done
  case "$reached:$before" in
${valueCases(commands, (values) => (values.length === 0 ? '_files; return' : `compadd ${values.join(' ')}; return`))}
  esac
  case "$reached:$current" in
${commands.map((command) => wordCases(command, (words) => (words.length === 0 ? '_files; return' : `found=(${words.map(described).join(' ')})`))).join('\n')}
  esac
  _describe 'tailrace' found
}
compdef _tailrace tailrace
`;

const described = ({ word, meaning }: { word: string; meaning: string }): string =>
  quoted(meaning === '' ? word : `${word}:${meaning}`);

const fish = (commands: readonly CompletionWords[]): string => `# tailrace completion fish
function __tailrace_reached
    set -l reached ''
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        switch "$reached $word"
            case ${reachable(commands, ' ')}
                set reached "$reached $word"
        end
    end
    test "$reached" = "$argv[1]"
end
complete -c tailrace -e
${commands.map(fishLines).join('\n')}
`;

const fishLines = ({ path, commands, options, argumentValues }: CompletionWords): string => {
  const start = `complete -c tailrace -n ${quoted(`__tailrace_reached "${reachedBy(path)}"`)}`;
  const takesFiles = argumentValues !== undefined && argumentValues.length === 0;
  return [
    ...(takesFiles ? [] : [`${start} -f`]),
    ...(argumentValues ?? []).map((word) => `${start} -a ${word}`),
    ...commands.map(({ word, meaning }) => `${start} -a ${word} -d ${quoted(meaning)}`),
    ...options.map((option) => `${start}${fishOption(option)}`),
  ].join('\n');
};

const fishOption = ({ names, meaning, values }: CompletionOption): string => {
  const named = names.map((name) =>
    name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`,
  );
  const valued =
    values === undefined ? '' : values.length === 0 ? ' -r -F' : ` -x -a ${quoted(values.join(' '))}`;
  return `${named.join('')}${valued} -d ${quoted(meaning)}`;
};

const quoted = (text: string): string => `'${text.replaceAll("'", '’').replaceAll('\\', '')}'`;

const scripts: Readonly<Record<Shell, (commands: readonly CompletionWords[]) => string>> = {
  bash,
  zsh,
  fish,
};
