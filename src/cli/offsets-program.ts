import { type Command, Option } from 'commander';
import { outputOf } from './option-values.js';

/** offsets show, export, set and reset. */
export const addOffsetsCommands = (program: Command): void => {
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
