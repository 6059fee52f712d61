import { type Command, InvalidArgumentError, Option } from 'commander';
import type { OutputOptions } from '../console.js';
import type { MigrateFlags } from './flags.js';

/** migrate, verify and cutover. */
export const addMigrationCommands = (
  program: Command,
  outputOf: (command: Command) => OutputOptions,
): void => {
  withMigrateOptions(
    program
      .command('migrate')
      .description(
        'copy the data set of a running Kvrocks or tailrace to a target, and catch up with its writes',
      ),
  )
    .option('--once', 'end when the target has caught up (the default)')
    .option('--follow', 'go on delivering writes until told to stop')
    .addHelpText(
      'after',
      `
Examples:
  tailrace migrate --from redis://127.0.0.1:6666 --to redis://127.0.0.1:6379
  tailrace migrate --from redis://old:6666 --to redis://new:6379 --follow --max-keys-per-second 50000

Interrupted or killed, run the same command again: it goes on where it stood.`,
    )
    .action(async (flags: MigrateFlags, command: Command) => {
      const { migrateCommand } = await import('./migrate-command.js');
      await migrateCommand(flags, outputOf(command));
    });
};

const withEnds = (command: Command): Command =>
  command
    .requiredOption('--from <url>', 'the source, redis://[user:password@]host:port')
    .requiredOption(
      '--to <url>',
      'the target: redis://host:port of a Redis or of a node of a cluster, or a file',
    )
    .option('--from-password <password>', 'better: in the environment, as TAILRACE_FROM_PASSWORD')
    .option('--to-password <password>', 'better: in the environment, as TAILRACE_TO_PASSWORD')
    .option(
      '--namespace <name=prefix>',
      'a namespace to copy, and what its keys start with in the target; may be repeated (default: default=)',
      (entry: string, before: readonly string[] = []) => [...before, entry],
    );

const withMigrateOptions = (command: Command): Command =>
  withEnds(command)
    .option('--name <name>', 'name of the migration: the target keeps its position under it', 'migrate')
    .option(
      '--state <file>',
      'what has been done, so that it goes on after an end',
      'tailrace-migration.json',
    )
    .addOption(
      new Option('--existing <keys>', 'what to do when the target holds keys')
        .choices(['refuse', 'overwrite', 'skip'])
        .default('refuse'),
    )
    .option('--restart', 'start over, whatever state there is')
    .option('--skip-unsupported', 'leave out, and count, keys that cannot be copied')
    .option('--max-keys-per-second <count>', 'limit on what is read of the source', limit, 0)
    .option('--max-mb-per-second <count>', 'limit on what is read of the source', limit, 0)
    .option(
      '--no-records',
      'read keys by the commands of each type, as from a Kvrocks, also from a tailrace',
    );

const limit = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number.');
  return value;
};
