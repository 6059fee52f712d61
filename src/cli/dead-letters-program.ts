import type { Command } from 'commander';
import type { LetterFlags } from './commands/dead-letters.js';
import { filesOf, outputOf, wholeNumber } from './option-values.js';

/** dead-letters list, replay and drop. */
export const addDeadLetterCommands = (program: Command): void => {
  const letters = program
    .command('dead-letters')
    .description('changes that a sink refused, or that could not be decoded, as errors.* of the file says');
  const actions = {
    list: 'list what is not settled',
    replay: 'deliver them once more, without moving the position; the pipeline must not be running',
    drop: 'settle them without delivering them',
  };
  for (const [action, description] of Object.entries(actions)) {
    const command = letters
      .command(`${action} [files...]`)
      .description(description)
      .option('--sink <name>', 'only those of this sink')
      .option('--sequence <number>', 'only those of this sequence number', wholeNumber);
    if (action !== 'drop')
      command.option(
        '--from <file>',
        'letters read elsewhere, such as from a Kafka topic; - is standard input',
      );
    command
      .addHelpText('after', `\nExample:\n  tailrace dead-letters ${action} orders.yaml`)
      .action(async (files: string[], options: LetterFlags, command: Command) => {
        const { dropLetters, listLetters, replayLetters } = await import('./commands/dead-letters.js');
        const run = action === 'list' ? listLetters : action === 'drop' ? dropLetters : replayLetters;
        await run(filesOf(files, command), options, outputOf(command));
      });
  }
};
