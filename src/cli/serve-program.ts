import { type Command, Option } from 'commander';
import { outputOf, positiveNumber, requiredOption, wholeNumber } from './option-values.js';

export interface ServeFlags {
  readonly dir: string;
  readonly listen: string;
  readonly sync: 'always' | 'interval' | 'none';
  readonly syncInterval: number;
  readonly requirepass?: string;
  readonly protectedMode: boolean;
  readonly dumpDir?: string;
  readonly restoreDir?: string;
  readonly checkpointEvery: number;
  readonly checkpointChanges: number;
  readonly checkpointKeep: number;
  readonly walTtl: number;
  readonly memtable: number;
  readonly pageCache: number;
  readonly dataMax?: number;
  readonly walKeep: number;
  readonly walMax: number;
  readonly expire: 'lazy' | 'active';
  readonly compactEvery: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly maxclients: number;
  readonly timeout: number;
}

export const addServeCommand = (program: Command): void => {
  program
    .command('serve')
    .description('open a store and serve it to Redis clients, with POLLUPDATES as Kvrocks has it')
    .addOption(requiredOption('-d, --dir <directory>', 'directory of the store; made if it is missing'))
    .option('-l, --listen <host:port>', 'address to listen on', '127.0.0.1:6666')
    .addOption(
      new Option(
        '--sync <mode>',
        'when a write counts as done: on disk, at most an interval later, or in the system',
      )
        .choices(['always', 'interval', 'none'])
        .default('always'),
    )
    .option('--sync-interval <ms>', 'time between syncs in mode interval', positiveNumber, 1000)
    .option(
      '--requirepass <password>',
      'clients must AUTH with it (better: in the environment, as TAILRACE_PASSWORD)',
    )
    .option('--no-protected-mode', 'allow other addresses than loopback without a password')
    .option('--dump-dir <directory>', 'where KPROFILE MEMORY DUMP may write (default: profiles in the store)')
    .option(
      '--restore-dir <directory>',
      'where CHECKPOINT RESTORE and EXPORT may write (default: beside the store)',
    )
    .option('--checkpoint-every <seconds>', 'make a checkpoint so often, if anything changed', wholeNumber, 0)
    .option('--checkpoint-changes <count>', 'make a checkpoint after so many changes', wholeNumber, 0)
    .option('--checkpoint-keep <count>', 'how many of these are kept', wholeNumber, 3)
    .option('--wal-ttl <seconds>', 'keep changes in the log for at least so long', wholeNumber, 10_800)
    .option(
      '--memtable <MiB>',
      'newest data in memory before it is merged into the data file',
      positiveNumber,
      64,
    )
    .option('--page-cache <MiB>', 'memory for pages of the data file', positiveNumber, 128)
    .option('--wal-keep <MiB>', 'keep as much of the log, however old', wholeNumber, 64)
    .option(
      '--data-max <MiB>',
      'never let the data file become larger: the store fails when it is full',
      positiveNumber,
    )
    .option('--wal-max <MiB>', 'never keep more of the log, whoever needs it', wholeNumber, 16_384)
    .addOption(
      new Option(
        '--expire <way>',
        'lazy: expired keys are no longer seen, as in Kvrocks; active: they are also deleted in the log',
      )
        .choices(['lazy', 'active'])
        .default('lazy'),
    )
    .option(
      '--compact-every <seconds>',
      'drop what deleted and expired collections left behind so often; 0 = only by the command COMPACT',
      wholeNumber,
      86_400,
    )
    .option('--tls-cert <file>', 'serve by TLS with this certificate (PEM)')
    .option('--tls-key <file>', 'private key of the certificate (PEM)')
    .option('--tls-ca <file>', 'demand certificates of clients, signed by this authority (PEM)')
    .option('--maxclients <count>', 'refuse more clients than this', positiveNumber, 10_000)
    .option('--timeout <seconds>', 'close clients that were idle for so long; 0 = never', wholeNumber, 0)
    .addHelpText(
      'after',
      '\nExample:\n  tailrace serve --dir ./data --listen 127.0.0.1:6666\n  redis-cli -p 6666 SET greeting hello',
    )
    .action(async (options: ServeFlags, command: Command) => {
      const { serveCommand } = await import('./commands/serve.js');
      await serveCommand(options, outputOf(command));
    });
};
