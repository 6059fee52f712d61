import process from 'node:process';
import { Argument, type Command } from 'commander';
import { completionScript, type Shell, shells } from './shell-scripts.js';

export const addCompletionCommand = (program: Command): void => {
  program
    .command('completion')
    .description('print a script by which a shell completes commands and options')
    .addArgument(new Argument('<shell>', 'which shell').choices([...shells]))
    .addHelpText(
      'after',
      `
Examples:
  source <(tailrace completion bash)    in ~/.bashrc
  source <(tailrace completion zsh)     in ~/.zshrc, behind compinit
  tailrace completion fish | source     in ~/.config/fish/config.fish`,
    )
    .action(async (shell: Shell) => {
      const { completionWords } = await import('./completion-words.js');
      process.stdout.write(completionScript(shell, completionWords(program)));
    });
};
