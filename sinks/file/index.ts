import type { SinkDefinition } from '../../src/kit/index.js';
import { FileSink, type FileSinkOptions } from './file-sink.js';

export { FileSink, type FileSinkOptions } from './file-sink.js';

export const fileSink: SinkDefinition<FileSinkOptions> = {
  name: 'file',
  summary: 'change events as lines of JSON in a file, exactly once',
  schema: {
    path: { doc: 'the file that events are appended to', format: 'required-string', default: '' },
    source: {
      doc: 'name of the source in the events (default: the name of the pipeline)',
      format: String,
      default: '',
    },
    sync: { doc: 'sync the file at each commit', format: Boolean, default: true },
  },
  create: (options, context) => new FileSink(options, context),
};
