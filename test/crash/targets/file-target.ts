import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLastEntry } from '../../../sinks/file/position-journal.js';
import { parseEvent } from '../../../src/kit/index.js';
import { throwAwayDirectory } from '../../services/index.js';
import type { CrashTarget } from '../crash-target.js';
import { verifyEvents } from '../source-truth.js';

export const startFileTarget = async (): Promise<CrashTarget> => {
  const directory = throwAwayDirectory('crash-file');
  const path = join(directory.path, 'changes.ndjson');
  return {
    name: 'file',
    port: undefined,
    fencing: 'lock',
    sinkEntry: () => ({ sink: 'file', path }),
    position: async () =>
      existsSync(path) ? (readLastEntry(`${path}.position`)?.position?.sequence ?? 0) : 0,
    verify: async (truth) => {
      const lines = readFileSync(path, 'utf8').split('\n');
      if (lines.pop() !== '') throw new Error('the last line is torn');
      await verifyEvents(lines.map(parseEvent), truth);
    },
    [Symbol.asyncDispose]: async () => directory.remove(),
  };
};
