import { resolve } from 'node:path';
import type { SinkDefinition } from '../../src/kit/index.js';
import { FileSink, type FileSinkOptions } from './file-sink.js';

export { FileSink, type FileSinkOptions } from './file-sink.js';

const requirePrefixes = (value: unknown): void => {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap || !Object.values(value).every((prefix) => typeof prefix === 'string'))
    throw new Error('must be a map of namespaces to prefixes (texts)');
};

/** The sink `file`, as pipeline files name it. */
export const fileSink: SinkDefinition<FileSinkOptions> = {
  name: 'file',
  summary: 'change events as lines of JSON, Redis commands, or raw batches, in files, exactly once',
  schema: {
    path: {
      doc: 'the file that events are appended to; for raw the directory of its files',
      format: 'required-string',
      default: '',
    },
    source: {
      doc: 'name of the source in the events (default: the name of the pipeline)',
      format: String,
      default: '',
    },
    format: {
      doc: "ndjson: change events; resp: Redis commands, for redis-cli --pipe; raw: the write batches in RocksDB's log format",
      format: ['ndjson', 'resp', 'raw'],
      default: 'ndjson',
    },
    namespaces: {
      doc: 'resp: what the keys of each namespace start with, such as {default: "", orders: "orders:"}; changes of others are refused',
      format: requirePrefixes,
      default: { default: '' },
    },
    rotate: {
      bytes: { doc: 'size at which a new file is begun; 0 = never', format: 'byte-limit', default: 0 },
      every: { doc: 'age at which a new file is begun; 0 = never', format: 'age', default: 0 },
    },
    compress: {
      doc: 'how finished files are compressed; zstd needs Node.js 22.15',
      format: ['none', 'gzip', 'zstd'],
      default: 'none',
    },
    sync: { doc: 'sync the file at each commit', format: Boolean, default: true },
  },
  create: (options, context) => new FileSink(options, context),
  soleTarget: ({ path }) => resolve(path),
};
