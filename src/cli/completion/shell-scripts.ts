import type { CompletionWords } from './completion-words.js';

export type Shell = 'bash' | 'zsh';

/** A script that makes the shell complete the command line; where there is nothing else to say, files. */
export const completionScript = (shell: Shell, commands: readonly CompletionWords[]): string =>
  shell === 'bash' ? bashScript(commands) : zshScript(commands);

/** Finds the command that the words before the cursor name, as bash and zsh read it alike; in zsh `path` is PATH. */
const commandOf = (commands: readonly CompletionWords[]): string => `    case "$reached $word" in
      ${commands
        .filter(({ path }) => path !== '')
        .map(({ path }) => `' ${path}'`)
        .join('|')}) reached="$reached $word" ;;
    esac`;

const bashScript = (commands: readonly CompletionWords[]): string => `# tailrace completion bash
_tailrace() {
  local word reached='' current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${commandOf(commands)}
  done
  case "$reached:$before" in
${commands
  .flatMap(({ path, choices }) =>
    choices.map(({ option, values }) => `    '${pathWord(path)}:${option}') words='${values.join(' ')}' ;;`),
  )
  .join('\n')}
    *) case "$reached" in
${commands.map(({ path, words }) => `      '${pathWord(path)}') words='${words.map(({ word }) => word).join(' ')}' ;;`).join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _tailrace tailrace
`;

const zshScript = (commands: readonly CompletionWords[]): string => `#compdef tailrace
# tailrace completion zsh
_tailrace() {
  local word reached='' before="\${words[CURRENT-1]}"
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
${commandOf(commands)}
  done
  case "$reached:$before" in
${commands
  .flatMap(({ path, choices }) =>
    choices.map(
      ({ option, values }) => `    '${pathWord(path)}:${option}') compadd ${values.join(' ')}; return ;;`,
    ),
  )
  .join('\n')}
  esac
  case "$reached" in
${commands.map(({ path, words }) => `    '${pathWord(path)}') found=(${words.map(({ word, meaning }) => quoted(`${word}:${meaning}`)).join(' ')}) ;;`).join('\n')}
  esac
  _describe 'tailrace' found
  _files
}
compdef _tailrace tailrace
`;

/** As the scripts of bash and zsh gather it: with a blank before each name. */
const pathWord = (path: string): string => (path === '' ? '' : ` ${path}`);

const quoted = (text: string): string => `'${text.replaceAll("'", '’').replaceAll('\\', '')}'`;
