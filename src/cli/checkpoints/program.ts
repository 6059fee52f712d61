import { type Command, InvalidArgumentError, Option } from 'commander';
import type { OutputOptions } from '../console.js';
import { requiredOption } from '../option-values.js';
import type { CheckpointFlags } from './checkpoint-command.js';

/** The time itself is read by whoever carries out the request; here so that a mistake names the option. */
const lifetime = (text: string): string => {
  if (!/^\d+(\.\d+)?(ms|s|m|h|d|w)?$/i.test(text))
    throw new InvalidArgumentError('Write a time such as 90s, 30m, 12h or 7d.');
  return text;
};

const label = (text: string, before: readonly string[] = []): string[] => {
  if (!/^[^=]+=./s.test(text)) throw new InvalidArgumentError('Write KEY=VALUE.');
  return [...before, text];
};

/** checkpoint create, refresh, list, show, delete, read, restore, export and apply. */
export const addCheckpointCommands = (
  program: Command,
  outputOf: (command: Command) => OutputOptions,
): void => {
  const checkpoint = program
    .command('checkpoint')
    .description(
      'named, durable views of a store: by its directory, also while a server runs on it, or by URL',
    )
    .option('--password <password>', 'of the server (better: in the environment, as TAILRACE_PASSWORD)');
  const run =
    (action: string) =>
    async (store: string, ...rest: unknown[]): Promise<void> => {
      const command = rest.at(-1) as Command; // commander hands over the command last
      const reference = typeof rest[0] === 'string' ? rest[0] : undefined;
      const { checkpointCommand } = await import('./checkpoint-command.js');
      const flags: CheckpointFlags = command.optsWithGlobals();
      await checkpointCommand(action, store, reference, flags, outputOf(command));
    };

  checkpoint
    .command('create <store>')
    .description('make a checkpoint of all that is committed')
    .option('--name <name>', 'what to call it; several may have the same name')
    .option('--lifetime <time>', 'delete it after, such as 90s, 12h, 7d (default: never)', lifetime)
    .addOption(new Option('--unique', 'refuse when a checkpoint has the name').conflicts('replace'))
    .option('--replace', 'delete those that have the name')
    .option('--hold-log', 'keep the log behind it for consumers')
    .option('--source <ref>', 'show what another checkpoint shows, instead of the newest data')
    .option('--label <key=value>', 'notes of your own; may be repeated', label)
    .addHelpText(
      'after',
      `
Examples:
  tailrace checkpoint create ./data --name nightly --lifetime 7d
  tailrace checkpoint create redis://store:6666 --name before --json | jq -r .id`,
    )
    .action(run('create'));
  checkpoint
    .command('refresh <store> <checkpoint>')
    .description('give a checkpoint its lifetime again, another one, or the newest data')
    .addOption(
      new Option('--lifetime <time>', 'from now on, such as 12h').conflicts('never').argParser(lifetime),
    )
    .option('--never', 'it no longer expires')
    .option('--advance', 'show the newest data under the same id')
    .addHelpText('after', '\nExample:\n  tailrace checkpoint refresh ./data nightly --advance')
    .action(run('refresh'));
  checkpoint
    .command('list <store>')
    .description('list checkpoints, the newest first')
    .option('--name <name>', 'only those of this name')
    .addOption(new Option('--state <state>', 'only those').choices(['live', 'expired']))
    .option('--label <key=value>', 'only those that have this label; may be repeated', label)
    .addHelpText('after', '\nExample:\n  tailrace checkpoint list ./data')
    .action(run('list'));
  checkpoint
    .command('show <store> <checkpoint>')
    .description('show a checkpoint by its id, the first characters of it, its name, or @latest')
    .addHelpText('after', '\nExample:\n  tailrace checkpoint show ./data @latest')
    .action(run('show'));
  checkpoint
    .command('read <store> <checkpoint> <command...>')
    .description('run a command that reads, such as HGETALL order:1, at a checkpoint')
    .addHelpText(
      'after',
      '\nExample:\n  tailrace checkpoint read ./data nightly HGETALL order:1\nWords that begin with a dash stand behind --.',
    )
    .action(async (store: string, reference: string, words: string[], _options: object, command: Command) => {
      const { readCommand } = await import('./read-command.js');
      await readCommand(store, reference, words, command.optsWithGlobals()['password'], outputOf(command));
    });
  checkpoint
    .command('delete <store> <checkpoint>')
    .description('delete a checkpoint and free its space')
    .option('--if-exists', 'succeed when there is none')
    .addHelpText('after', '\nExample:\n  tailrace checkpoint delete ./data nightly')
    .action(run('delete'));
  checkpoint
    .command('restore <store> <checkpoint>')
    .description('make a new store from a checkpoint')
    .addOption(requiredOption('--to <directory>', 'where: a directory that is empty, or not there yet'))
    .addHelpText(
      'after',
      '\nExample:\n  tailrace checkpoint restore ./data nightly --to ./data-of-last-night',
    )
    .action(run('restore'));
  checkpoint
    .command('export <store> <checkpoint>')
    .description('write a checkpoint to a file: all of it, or what has changed since another one')
    .addOption(requiredOption('--to <file>', 'a file that does not exist yet'))
    .option('--base <checkpoint>', 'only what has changed since this older checkpoint')
    .addHelpText(
      'after',
      '\nExample:\n  tailrace checkpoint export ./data tuesday --base monday --to tue.checkpoint',
    )
    .action(run('export'));
  checkpoint
    .command('apply <directory> <file>')
    .description('make a store of an exported file, or bring the store made of its base forward')
    .addHelpText('after', '\nExample:\n  tailrace checkpoint apply ./copy tue.checkpoint')
    .action(async (directory: string, file: string, _options: object, command: Command) => {
      const { applyExport } = await import('./checkpoint-command.js');
      await applyExport(directory, file, outputOf(command));
    });
};
