import { Command, InvalidArgumentError, Option } from 'commander';
import { changeTypes } from '../data-model/index.js';
import { packageVersion } from '../server/index.js';
import { addCheckpointCommands } from './checkpoints/program.js';
import type { LetterFlags } from './commands/dead-letters.js';
import { logLevels, type OutputOptions } from './console.js';
import { addMigrationCommands } from './migration/program.js';

/** The global options, as a command's action gets them. */
const outputOf = (command: Command): OutputOptions => {
  const { json, quiet, logLevel } = command.optsWithGlobals();
  return { isJson: json === true, isQuiet: quiet === true, logLevel };
};

/** Files given as arguments, and those given by the global `--config`. */
const filesOf = (files: readonly string[], command: Command): readonly string[] => {
  const all = [...(command.optsWithGlobals()['config'] ?? []), ...files];
  if (all.length === 0) command.error('error: name at least one pipeline file');
  return all;
};

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number.');
  return value;
};

const repeated = (text: string, before: readonly string[] = []): string[] => [...before, text];

const listOption = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(','),
];

const typesOption = (text: string, before: readonly string[] = []): string[] => {
  const types = listOption(text, before);
  if (types.some((type) => !changeTypes.includes(type)))
    throw new InvalidArgumentError(`There are ${changeTypes.join(', ')}.`);
  return types;
};

/** The command line. Each command is loaded when it is called, so that the others cost nothing. */
export const makeProgram = (): Command => {
  const program = new Command('tailrace')
    .description('Delivers every change of a Redis-protocol key-value store, in order and exactly once.')
    .version(packageVersion(), '-V, --version')
    .option('--json', 'data and logs as JSON')
    .option('-q, --quiet', 'errors only')
    .addOption(new Option('--log-level <level>', 'what to log').choices(logLevels).default('info'))
    .option(
      '-c, --config <file>',
      'a pipeline file, besides those named as arguments; may be repeated',
      repeated,
    )
    .enablePositionalOptions(false)
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride()
    .addHelpText(
      'after',
      `
First steps:
  tailrace demo                                    see it work, with nothing else installed
  tailrace tail redis://127.0.0.1:6666             watch the changes of a Kvrocks
  tailrace run pipeline.yaml                       deliver them

Exit codes: 0 done, 1 failed while running, 2 wrong usage or config, 3 differences found, 130 interrupted.`,
    );

  program
    .command('run [files...]')
    .description('run the pipelines of configuration files until they end or are told to stop')
    .option('--admin <host:port>', 'serve health, metrics, status and a dashboard there')
    .option('--keep-going', 'a pipeline that fails does not stop the others')
    .addHelpText(
      'after',
      '\nExample:\n  tailrace run orders.yaml carts.yaml --admin 127.0.0.1:9464\n\nSIGINT or SIGTERM delivers what is in flight and exits 0; a second one exits at once.',
    )
    .action(async (files: string[], options: RunFlags, command: Command) => {
      const { runCommand } = await import('./commands/run.js');
      await runCommand(filesOf(files, command), options, outputOf(command));
    });

  program
    .command('status [address]')
    .description('show the pipelines of a running process, by the address of its admin server')
    .addHelpText('after', '\nExample:\n  tailrace status 127.0.0.1:9464')
    .action(async (address: string | undefined, _options: object, command: Command) => {
      const { statusCommand } = await import('./commands/status.js');
      await statusCommand(address ?? '127.0.0.1:9464', outputOf(command));
    });

  program
    .command('validate [files...]')
    .description('check configuration files and say what each pipeline would do and guarantee')
    .addHelpText('after', '\nExample:\n  tailrace validate orders.yaml carts.yaml')
    .action(async (files: string[], _options: object, command: Command) => {
      const { validateCommand } = await import('./commands/validate.js');
      await validateCommand(filesOf(files, command), outputOf(command));
    });

  program
    .command('doctor [files...]')
    .description(
      'look whether pipelines would run: connections, versions, permissions, retention; changes nothing',
    )
    .addHelpText('after', '\nExample:\n  tailrace doctor orders.yaml')
    .action(async (files: string[], _options: object, command: Command) => {
      const { doctorCommand } = await import('./commands/doctor.js');
      await doctorCommand(filesOf(files, command), outputOf(command));
    });

  program
    .command('schema')
    .description('print the JSON Schema of pipeline files, for editors')
    .action(async () => {
      const { printSchema } = await import('./commands/schema.js');
      printSchema();
    });

  program
    .command('tail <source>')
    .description(
      'print the decoded changes of a server (redis://…), a store or a directory of RocksDB log files',
    )
    .option('--from <place>', 'beginning, latest, or a sequence number already seen', 'beginning')
    .option('--keys <globs>', 'only keys that match, such as order:*,cart:*', listOption)
    .option('--types <types>', 'only these types, such as string,hash', typesOption)
    .option('--once', 'end at the newest change instead of waiting for more')
    .option(
      '--password <password>',
      'password of the server (better: in the environment, as TAILRACE_PASSWORD)',
    )
    .addHelpText(
      'after',
      `
Examples:
  tailrace tail redis://127.0.0.1:6666 --from latest
  tailrace tail ./kvrocks-data --once --json | jq .key`,
    )
    .action(async (source: string, options: TailFlags, command: Command) => {
      const { tailCommand } = await import('./commands/tail.js');
      await tailCommand(source, options, outputOf(command));
    });

  program
    .command('serve')
    .description('open a store and serve it to Redis clients, with POLLUPDATES as Kvrocks has it')
    .requiredOption('-d, --dir <directory>', 'directory of the store; made if it is missing')
    .option('-l, --listen <host:port>', 'address to listen on', '127.0.0.1:6666')
    .addOption(
      new Option(
        '--sync <mode>',
        'when a write counts as done: on disk, at most an interval later, or in the system',
      )
        .choices(['always', 'interval', 'none'])
        .default('always'),
    )
    .option('--sync-interval <ms>', 'time between syncs in mode interval', wholeNumber, 1000)
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
      wholeNumber,
      64,
    )
    .option('--page-cache <MiB>', 'memory for pages of the data file', wholeNumber, 128)
    .option('--wal-keep <MiB>', 'keep as much of the log, however old', wholeNumber, 64)
    .option(
      '--data-max <MiB>',
      'never let the data file become larger: the store fails when it is full',
      wholeNumber,
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
    .option('--tls-cert <file>', 'serve by TLS with this certificate (PEM)')
    .option('--tls-key <file>', 'private key of the certificate (PEM)')
    .option('--tls-ca <file>', 'demand certificates of clients, signed by this authority (PEM)')
    .option('--maxclients <count>', 'refuse more clients than this', wholeNumber, 10_000)
    .option('--timeout <seconds>', 'close clients that were idle for so long; 0 = never', wholeNumber, 0)
    .addHelpText(
      'after',
      '\nExample:\n  tailrace serve --dir ./data --listen 127.0.0.1:6666\n  redis-cli -p 6666 SET greeting hello',
    )
    .action(async (options: ServeFlags, command: Command) => {
      const { serveCommand } = await import('./commands/serve.js');
      await serveCommand(options, outputOf(command));
    });

  addMigrationCommands(program, outputOf);
  addWalCommands(program);
  addCheckpointCommands(program, outputOf);
  addOffsetsCommands(program);
  addDeadLetterCommands(program);

  program
    .command('demo')
    .description(
      'load real captured changes and a generated workload into an embedded store, and deliver them to a file',
    )
    .option('--changes <count>', 'size of the generated workload', wholeNumber, 200_000)
    .option('--dir <directory>', 'where to put the store and the output (default: a new temporary directory)')
    .option('--seed <number>', 'seed of the generated workload', wholeNumber, 1)
    .action(async (options: DemoFlags, command: Command) => {
      const { demoCommand } = await import('./commands/demo.js');
      await demoCommand(options, outputOf(command));
    });

  return program;
};

const addWalCommands = (program: Command): void => {
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

const addOffsetsCommands = (program: Command): void => {
  const offsets = program
    .command('offsets')
    .description(
      'positions: in the store that --config FILE names, and in the sinks of FILE that hold theirs themselves',
    )
    .addOption(
      new Option('--store <kind>', 'without a file: where')
        .choices(['file', 'redis', 'postgres'])
        .default('file'),
    )
    .option('--path <directory>', 'of the store file', 'tailrace-offsets')
    .option('--url <url>', 'of the stores redis and postgres')
    .option('--name <name>', 'of the key or table', 'tailrace_offsets');
  offsets
    .command('show')
    .description('list the stored positions')
    .action(async (_options: object, command: Command) => {
      const { showOffsets } = await import('./commands/offsets.js');
      await showOffsets(command.optsWithGlobals(), outputOf(command));
    });
  offsets
    .command('export')
    .description('write all positions as lines of JSON')
    .action(async (_options: object, command: Command) => {
      const { exportOffsets } = await import('./commands/offsets.js');
      await exportOffsets(command.optsWithGlobals(), outputOf(command));
    });
  offsets
    .command('set [pipeline] [sink] [position]')
    .description('store a position, sequence:count:crc as show prints it; the pipeline must not be running')
    .option('--from <file>', 'every position of an export instead')
    .action(
      async (
        pipeline: string | undefined,
        sink: string | undefined,
        position: string | undefined,
        options: { from?: string },
        command: Command,
      ) => {
        const { setOffsets } = await import('./commands/offsets.js');
        const wanted = {
          ...(pipeline === undefined ? {} : { pipeline }),
          ...(sink === undefined ? {} : { sink }),
          ...(position === undefined ? {} : { position }),
          ...options,
        };
        await setOffsets(command.optsWithGlobals(), wanted, outputOf(command));
      },
    );
  offsets
    .command('reset <pipeline> [sink]')
    .description('forget the positions of a pipeline, so that it starts again from where its file says')
    .action(async (pipeline: string, sink: string | undefined, _options: object, command: Command) => {
      const { resetOffsets } = await import('./commands/offsets.js');
      await resetOffsets(command.optsWithGlobals(), pipeline, sink, outputOf(command));
    });
};

const addDeadLetterCommands = (program: Command): void => {
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

export interface RunFlags {
  readonly admin?: string;
  readonly keepGoing?: boolean;
}

export interface TailFlags {
  readonly from: string;
  readonly keys?: string[];
  readonly types?: string[];
  readonly once?: boolean;
  readonly password?: string;
}

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
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly maxclients: number;
  readonly timeout: number;
}

export interface DumpFlags {
  readonly from: number;
  readonly limit?: number;
}

export interface DemoFlags {
  readonly changes: number;
  readonly dir?: string;
  readonly seed: number;
}
