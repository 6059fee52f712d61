import { type Command, InvalidArgumentError, Option } from 'commander';
import type { OutputOptions } from '../console.js';
import { requiredOption } from '../option-values.js';
import type { CutoverFlags, MigrateFlags, VerifyFlags } from './flags.js';

/** migrate, verify and cutover. */
export const addMigrationCommands = (
  program: Command,
  outputOf: (command: Command) => OutputOptions,
): void => {
  withMigrateOptions(
    program
      .command('migrate')
      .description('copy the data set of a Kvrocks or tailrace to a target, and catch up with its writes'),
  )
    .addOption(
      new Option(
        '--once',
        'end when the target has caught up, as without --follow; must be said for a source without POLLUPDATES, which is copied key by key, without what changes meanwhile',
      ).conflicts('follow'),
    )
    .option(
      '--checkpoint [name]',
      'read the keys of a checkpoint of a tailrace, all as of one moment; without a name one is made for it, and deleted behind it',
    )
    .option('--follow', 'go on delivering writes until told to stop')
    .option('--verify', 'compare everything when the end is reached; exit code 3 when something differs')
    .addHelpText(
      'after',
      `
Examples:
  tailrace migrate --from redis://127.0.0.1:6666 --to redis://127.0.0.1:6379
  tailrace migrate --from redis://old:6666 --to redis://new:6379 --follow

Interrupted or killed, run the same command again: it goes on where it stood.`,
    )
    .action(async (flags: MigrateFlags, command: Command) => {
      const { migrateCommand } = await import('./migrate-command.js');
      await migrateCommand(flags, outputOf(command));
    });

  withVerifyOptions(
    program
      .command('verify')
      .description(
        'compare every key of a source and a target, type, value and expiry, while both are in use',
      ),
  )
    .option('--repair', 'write the value of the source over what differs')
    .addHelpText(
      'after',
      `
Example:
  tailrace verify --from redis://127.0.0.1:6666 --to redis://127.0.0.1:6379

A key that differs is looked at again for --settle: only what lasts is a
difference. Exit code 3 when there is one.`,
    )
    .action(async (flags: VerifyFlags, command: Command) => {
      const { verifyCommand } = await import('./verify-command.js');
      await verifyCommand(flags, outputOf(command));
    });

  withMigrateOptions(
    program
      .command('cutover')
      .description('finish a migration: take over from migrate, wait until no write comes any more, verify'),
  )
    .option('--quiet-for <ms>', 'so long must no write have come', limit, 2000)
    .option('--skip-verify', 'do not compare at the end')
    .addHelpText(
      'after',
      `
Example:
  tailrace cutover --from redis://127.0.0.1:6666 --to redis://127.0.0.1:6379

Start it, stop the writers, and point them to the target when it ends: it then
holds every write. A migrate --follow that runs is taken over from, and ends.`,
    )
    .action(async (flags: CutoverFlags, command: Command) => {
      const { cutoverCommand } = await import('./cutover-command.js');
      await cutoverCommand(flags, outputOf(command));
    });
};

const withVerifyOptions = (command: Command): Command =>
  withEnds(
    command,
    'the target: redis://host:port of a Redis, a tailrace or a node of a cluster, or postgres://… with the mirror of a postgres sink',
  )
    .option('--to-option <name=value>', 'with postgres://: schema=NAME of the mirror', listed)
    .option('--name <name>', 'name of the migration, whose position in the target is passed over', 'migrate')
    .option('--sample <count>', 'compare so many random keys of each side only', limit, 0)
    .option('--ttl-tolerance <ms>', 'by how much expiries may differ', limit, 1000)
    .option('--settle <ms>', 'how long a difference must last', limit, 2000)
    .option('--max-keys-per-second <count>', 'limit on what is read of the source', limit, 0)
    .option('--max-mb-per-second <count>', 'limit on what is read of the source', limit, 0)
    .option(
      '--no-records',
      'read keys by the commands of each type, as from a Kvrocks, also from a tailrace',
    );

const withEnds = (command: Command, target: string): Command =>
  command
    .addOption(
      requiredOption(
        '--from <url>',
        'the source, redis://[user:password@]host:port, or dir:PATH of the data directory of a Kvrocks',
      ),
    )
    .addOption(requiredOption('--to <url>', target))
    .option('--scratch <directory>', 'with dir: where writes that are in no table yet are put in order')
    .option('--from-password <password>', 'better: in the environment, as TAILRACE_FROM_PASSWORD')
    .option('--to-password <password>', 'better: in the environment, as TAILRACE_TO_PASSWORD')
    .option(
      '--namespace <name=prefix>',
      'a namespace to copy, and what its keys start with in the target; may be repeated (default: default=)',
      listed,
    )
    .option(
      '--all-namespaces',
      'copy every namespace that the password shows; those that are not named start with NAME: in the target',
    )
    .option(
      '--database <name=number>',
      'a namespace to copy, and the database of the target that its keys go to; may be repeated',
      listed,
    );

const withMigrateOptions = (command: Command): Command =>
  withEnds(
    command,
    'the target: redis://host:port of a Redis or of a node of a cluster, FILE.resp, FILE.ndjson, postgres://…, or kafka://host:port/topic',
  )
    .option(
      '--to-option <name=value>',
      'with postgres:// and kafka://: a setting of the sink; may be repeated',
      listed,
    )
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
    .option(
      '--max-key-bytes <bytes>',
      'a key of more cannot be copied, since it is held in memory as a whole; 0 = no limit',
      limit,
      128 * 1024 * 1024,
    )
    .option('--max-keys-per-second <count>', 'limit on what is read of the source', limit, 0)
    .option('--max-mb-per-second <count>', 'limit on what is read of the source', limit, 0)
    .option(
      '--no-records',
      'read keys by the commands of each type, as from a Kvrocks, also from a tailrace',
    );

/** Of an option that may be repeated. */
const listed = (entry: string, before: readonly string[] = []): readonly string[] => [...before, entry];

const limit = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number, 0 or more.');
  return value;
};
