import process from 'node:process';
import { TailraceError } from '../../errors/index.js';
import { FileOffsetsStore } from '../../pipeline/index.js';
import { formatTable, type OutputOptions } from '../console.js';

/** Lists the stored positions. */
export const showOffsets = async (file: string, output: OutputOptions): Promise<void> => {
  await using store = new FileOffsetsStore(file);
  const offsets = await store.list();
  if (output.isJson) {
    process.stdout.write(`${JSON.stringify(offsets)}\n`);
    return;
  }
  const rows = offsets.map(({ pipeline, sink, position, storedAtMs }) => [
    pipeline,
    sink,
    position.sequence,
    new Date(storedAtMs).toISOString(),
  ]);
  process.stdout.write(
    rows.length === 0
      ? `no positions in ${file}\n`
      : `${formatTable(['PIPELINE', 'SINK', 'SEQUENCE', 'STORED'], rows)}\n`,
  );
};

/** Forgets positions, and says which. */
export const resetOffsets = async (
  file: string,
  pipeline: string,
  sink: string | undefined,
  output: OutputOptions,
): Promise<void> => {
  await using store = new FileOffsetsStore(file);
  const doomed = (await store.list()).filter(
    (offset) => offset.pipeline === pipeline && (sink === undefined || offset.sink === sink),
  );
  if (!(await store.reset(pipeline, sink)))
    throw new TailraceError(
      'USAGE',
      `${file} has no position of ${sink === undefined ? pipeline : `${pipeline} ${sink}`}`,
      {
        remedy: 'tailrace offsets show lists what there is.',
      },
    );
  if (output.isJson) process.stdout.write(`${JSON.stringify({ reset: doomed })}\n`);
  else
    for (const offset of doomed)
      process.stdout.write(`forgot ${offset.pipeline} ${offset.sink} at ${offset.position.sequence}\n`);
};
