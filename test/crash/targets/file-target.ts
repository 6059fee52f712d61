import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readLastEntry } from '../../../sinks/file/position-journal.js';
import { parseEvent } from '../../../src/kit/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import type { CrashTarget } from '../crash-target.js';
import { verifyEvents } from '../source-truth.js';

/** Files that are rotated and compressed while everything around them is killed. */
export const startFileTarget = async (): Promise<CrashTarget> => {
  const directory = throwAwayDirectory('crash-file');
  const path = join(directory.path, 'changes.ndjson');
  const read = (name: string): string => {
    const bytes = readFileSync(join(directory.path, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  };
  return {
    name: 'file',
    port: undefined,
    fencing: 'lock',
    sinkEntry: () => ({ sink: 'file', path, rotate: { bytes: '200KiB', every: '5s' }, compress: 'gzip' }),
    position: async () => readLastEntry(`${path}.position`)?.position?.sequence ?? 0,
    verify: async (truth) => {
      const names = readdirSync(directory.path).filter((name) => /^changes\.\d+\.ndjson(\.gz)?$/.test(name));
      const lines = names.sort().map(read).join('').split('\n');
      if (lines.pop() !== '') throw new Error('the last line is torn');
      await verifyEvents(lines.map(parseEvent), truth);
    },
    [Symbol.asyncDispose]: async () => directory.remove(),
  };
};
