import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listSegmentFiles } from '../../../src/engine/wal/index.js';
import { segmentName } from '../../../src/engine/wal/segment.js';
import { openForReading } from '../../../src/engine/wal/wal-scan.js';
import { throwAwayDirectory } from '../../services/index.js';

let directory: ReturnType<typeof throwAwayDirectory>;
beforeEach(() => {
  directory = throwAwayDirectory('archived-log');
  mkdirSync(join(directory.path, 'archive'));
});
afterEach(() => directory.remove());

const moveAll = `
  const { readdirSync, renameSync } = require('node:fs');
  for (const name of readdirSync('.').sort()) if (name.endsWith('.log')) renameSync(name, 'archive/' + name);
`;

it('sees every log file while a RocksDB moves them to its archive', async () => {
  const files = 1_000;
  for (let number = 1; number <= files; number++)
    writeFileSync(join(directory.path, segmentName(number)), 'x');
  const mover = spawn(process.execPath, ['-e', moveAll], { cwd: directory.path });
  const ended = once(mover, 'exit');
  const seen: number[] = [];
  while (mover.exitCode === null) {
    seen.push(listSegmentFiles(directory.path).length);
    await setImmediate();
  }
  expect(await ended).toEqual([0, null]);
  expect(seen.filter((count) => count !== files)).toEqual([]);
});

it('opens a log file where it was moved to since it was listed', () => {
  const path = join(directory.path, segmentName(7));
  writeFileSync(path, 'the log');
  const [listed] = listSegmentFiles(directory.path);
  renameSync(path, join(directory.path, 'archive', segmentName(7)));
  const fd = openForReading(listed.path);
  expect(readFileSync(fd, 'utf8')).toBe('the log');
  closeSync(fd);
  expect(() => openForReading(join(directory.path, segmentName(8)))).toThrow('cannot access');
});
