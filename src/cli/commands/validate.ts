import process from 'node:process';
import { requirePipelines } from '../../../config/index.js';
import { consoleLogger, formatTable, type OutputOptions } from '../console.js';
import { registryFor } from '../load-plugins.js';
import { assemble } from '../run-pipelines.js';

/** Checks pipeline files, and says what each sink of them guarantees. */
export const validateCommand = async (files: readonly string[], output: OutputOptions): Promise<void> => {
  const configs = requirePipelines(files, await registryFor(files));
  const log = consoleLogger(output);
  const rows = [];
  for (const config of configs) {
    await using assembled = await assemble(config, log);
    for (const sink of assembled.pipeline.status().sinks)
      rows.push({
        pipeline: config.name,
        source: config.source.name,
        sink: sink.name,
        guarantee: sink.guarantee,
      });
  }
  if (output.isJson) process.stdout.write(`${JSON.stringify(rows)}\n`);
  else if (!output.isQuiet)
    process.stdout.write(
      `${formatTable(
        ['PIPELINE', 'SOURCE', 'SINK', 'GUARANTEE'],
        rows.map((row) => [row.pipeline, row.source, row.sink, row.guarantee]),
      )}\n`,
    );
};
