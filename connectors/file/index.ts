import type { SourceDefinition } from '../../src/kit/index.js';
import { EventLinesDecoder } from './event-batches.js';
import { FileSource, type FileSourceOptions } from './file-source.js';

export { EventLinesDecoder } from './event-batches.js';
export { FileSource, type FileSourceOptions } from './file-source.js';

/** The source `file`, as pipeline files name it. */
export const fileSource: SourceDefinition<FileSourceOptions> = {
  name: 'file',
  summary: 'change events from the files of a file sink, to deliver them again',
  schema: {
    path: {
      doc: 'the file of change events, one a line; the files that were rotated from it are read too',
      format: 'required-string',
      default: '',
    },
    follow: { doc: 'wait for more at the end', format: Boolean, default: false },
    pollMs: { doc: 'how often to look for more, in ms', format: 'timeout', default: 50 },
  },
  create: (options, context) => new FileSource(options, context),
  makeDecoder: () => new EventLinesDecoder(),
};
