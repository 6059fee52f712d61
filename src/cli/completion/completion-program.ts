import process from 'node:process';
import { Argument, type Command } from 'commander';

export const addCompletionCommand = (program: Command): void => {
  program
    .command('completion')
    .description('print a script by which a shell completes commands and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh']))
    .addHelpText(
      'after',
      `
Examples:
  source <(tailrace completion bash)    in ~/.bashrc
  source <(tailrace completion zsh)     in ~/.zshrc, behind compinit`,
    )
    .action(async (shell: 'bash' | 'zsh') => {
      const { completionWords } = await import('./completion-words.js');
      const { completionScript } = await import('./shell-scripts.js');
      process.stdout.write(completionScript(shell, completionWords(program)));
    });
};
