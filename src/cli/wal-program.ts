import type { Command } from 'commander';
import { outputOf, wholeNumber } from './option-values.js';

export interface DumpFlags {
  readonly from: number;
  readonly limit?: number;
}

/** wal ls, dump and verify. */
export const addWalCommands = (program: Command): void => {
  const wal = program
    .command('wal')
    .description('look into a directory of log files: a store of ours, or a Kvrocks’ data');
  wal
    .command('ls <directory>')
    .description('list the log files with their sequence numbers and who keeps them')
    .action(async (directory: string, _options: object, command: Command) => {
      const { listLog } = await import('./commands/wal.js');
      listLog(directory, outputOf(command));
    });
  wal
    .command('dump <directory>')
    .description('print the records of the log')
    .option('--from <sequence>', 'start at this sequence number', wholeNumber, 0)
    .option('--limit <batches>', 'print at most this many batches', wholeNumber)
    .addHelpText('after', '\nExample:\n  tailrace wal dump ./data --from 1000 --limit 10')
    .action(async (directory: string, options: DumpFlags, command: Command) => {
      const { dumpLog } = await import('./commands/wal.js');
      await dumpLog(directory, options, outputOf(command));
    });
  wal
    .command('verify <directory>')
    .description('check every record of every log file')
    .action(async (directory: string, _options: object, command: Command) => {
      const { verifyLog } = await import('./commands/wal.js');
      verifyLog(directory, outputOf(command));
    });
};
