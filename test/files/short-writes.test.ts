import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { nodeFiles } from '../../src/files/index.js';
import { throwAwayDirectory } from '../services/index.js';

const { write, writeSync } = fs;
const directory = throwAwayDirectory('short-writes');
afterEach(() => {
  Object.assign(fs, { write, writeSync });
  syncBuiltinESMExports();
  directory.remove();
});

// What a file system does that runs full, and no other on demand.
it.each(['write', 'writeFew'] as const)(
  '%s goes on where the system takes some of the bytes only',
  async (operation) => {
    fs.mkdirSync(directory.path, { recursive: true });
    const path = join(directory.path, 'file');
    const fd = await nodeFiles.open(path, 'wx+');
    type Arguments = [fd: number, bytes: Uint8Array, offset: number, length: number, position: number];
    const some = ([file, bytes, offset, length, position]: Arguments): Arguments => [
      ...([file, bytes, offset, Math.min(3, length), position] as const),
    ];
    type Done = (error: Error | null, written: number) => void;
    Object.assign(fs, {
      write: (...[file, bytes, offset, length, position, done]: [...Arguments, Done]) =>
        write(...some([file, bytes, offset, length, position]), done),
      writeSync: (...given: Arguments) => writeSync(...some(given)),
    });
    syncBuiltinESMExports();
    await nodeFiles[operation](fd, Buffer.from('some ten bytes'), 2);
    await nodeFiles.close(fd);
    expect(fs.readFileSync(path, 'latin1')).toBe('\0\0some ten bytes');
  },
);
