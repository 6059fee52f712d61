import type { Command } from 'commander';
import { outputOf, wholeNumber } from '../option-values.js';

export interface BenchFlags {
  readonly changes: number;
  readonly seed: number;
  readonly dir?: string;
  readonly to?: string;
  readonly password?: string;
}

export const addBenchCommand = (program: Command): void => {
  program
    .command('bench')
    .description(
      'measure this machine: writes and reads of an embedded store, and delivery to a file, or to a Redis of yours',
    )
    .option('--changes <count>', 'size of the generated workload', wholeNumber, 200_000)
    .option('--seed <number>', 'seed of the generated workload', wholeNumber, 1)
    .option(
      '--dir <directory>',
      "a directory on the disk to be measured (default: the system's for temporary files)",
    )
    .option(
      '--to <url>',
      'also deliver to this Redis, redis://…; its keys start with tailrace-bench: and go at the end',
    )
    .option(
      '--password <password>',
      'password of that Redis (better: in the environment, as TAILRACE_PASSWORD)',
    )
    .addHelpText(
      'after',
      `
Every write is synced. Nothing is left behind, neither files nor keys.

Examples:
  tailrace bench --dir /var/lib
  tailrace bench --to redis://127.0.0.1:6379 --json`,
    )
    .action(async (options: BenchFlags, command: Command) => {
      const { benchCommand } = await import('./bench-command.js');
      await benchCommand(options, outputOf(command));
    });
};
