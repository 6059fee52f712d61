import { Command, Option } from 'commander';
import { packageVersion } from '../files/index.js';
import { addBenchCommand } from './bench/bench-program.js';
import { addCheckpointCommands } from './checkpoints/program.js';
import { addCompletionCommand } from './completion/completion-program.js';
import { logLevels } from './console.js';
import { addDeadLetterCommands } from './dead-letters-program.js';
import { addMigrationCommands } from './migration/program.js';
import { addOffsetsCommands } from './offsets-program.js';
import {
  filesOf,
  listOption,
  outputOf,
  repeated,
  requireOptions,
  typesOption,
  wholeNumber,
} from './option-values.js';
import { addServeCommand } from './serve-program.js';
import { addWalCommands } from './wal-program.js';

/** The command line. Each command is loaded when it is called, so that the others cost nothing. */
export const makeProgram = ({ isJson = false } = {}): Command => {
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
    .showHelpAfterError(isJson ? false : '(add --help for what there is)')
    .configureHelp({ minWidthToWrap: 24 }) // also beside long names of commands
    .configureOutput({
      outputError: (text, write) =>
        write(
          isJson
            ? `${JSON.stringify({ code: 'USAGE', message: text.replace(/^error: /, '').trim() })}\n`
            : text,
        ),
    })
    .exitOverride()
    .hook('preAction', (_program, command) => requireOptions(command))
    .addHelpText(
      'after',
      `
First steps:
  tailrace demo                          see it work, nothing else needed
  tailrace tail redis://127.0.0.1:6666   watch the changes of a Kvrocks
  tailrace run pipeline.yaml             deliver them

Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration,
3 differences found, 130 interrupted.`,
    );

  program
    .command('run [files...]')
    .description('run the pipelines of configuration files until they end or are told to stop')
    .option('--admin <host:port>', 'serve health, metrics, status and a dashboard there')
    .option('--keep-going', 'a pipeline that fails does not stop the others')
    .addHelpText(
      'after',
      `
Example:
  tailrace run orders.yaml carts.yaml --admin 127.0.0.1:9464

SIGINT or SIGTERM delivers what is in flight and exits 0; a second one exits at
once.`,
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

  addServeCommand(program);
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

  addBenchCommand(program);
  addCompletionCommand(program);

  return program;
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

export interface DemoFlags {
  readonly changes: number;
  readonly dir?: string;
  readonly seed: number;
}
