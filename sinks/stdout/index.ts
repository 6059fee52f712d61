import type { SinkDefinition } from '../../src/kit/index.js';
import { StdoutSink, type StdoutSinkOptions } from './stdout-sink.js';

export { StdoutSink, type StdoutSinkOptions } from './stdout-sink.js';

/** The sink `stdout`, as pipeline files name it. */
export const stdoutSink: SinkDefinition<StdoutSinkOptions> = {
  name: 'stdout',
  summary: 'change events as lines of JSON on standard output, at least once',
  schema: {
    source: {
      doc: 'name of the source in the events (default: the name of the pipeline)',
      format: String,
      default: '',
    },
  },
  create: (options, context) => new StdoutSink(options, context, process.stdout),
};
