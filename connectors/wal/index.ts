import type { SourceDefinition } from '../../src/kit/index.js';
import { WalSource, type WalSourceOptions } from './wal-source.js';

export { WalSource, type WalSourceOptions } from './wal-source.js';

/** The source `wal`, as pipeline files name it. */
export const walSource: SourceDefinition<WalSourceOptions> = {
  name: 'wal',
  summary: 'a directory of RocksDB log files: a store of ours, or the data directory of a Kvrocks',
  schema: {
    path: { doc: 'directory with the log files', format: 'required-string', default: '' },
    follow: { doc: 'wait for more at the end of the log; false ends there', format: Boolean, default: true },
    pollMs: { doc: 'how often to look for more, in ms', format: 'timeout', default: 50 },
  },
  create: (options) => new WalSource(options),
};
