import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory } from '../../src/files/index.js';

describe('making a directory', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tailrace-files-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('makes the parents that are missing, and leaves alone what is there', () => {
    const path = join(root, 'a', 'b', 'c');
    makeDirectory(path);
    makeDirectory(path);
    expect(existsSync(path)).toBe(true);
  });

  it('says that a file is in the way, at the end or in the middle', () => {
    writeFileSync(join(root, 'file'), '');
    const inTheWay = expect.objectContaining({
      code: 'FILE_INACCESSIBLE',
      remedy: expect.stringContaining('a file where a directory is needed'),
    });
    expect(() => makeDirectory(join(root, 'file'))).toThrow(inTheWay);
    expect(() => makeDirectory(join(root, 'file', 'below', 'it'))).toThrow(inTheWay);
  });

  it('ends where the system has no place for directories', () => {
    expect(() => makeDirectory('/proc/tailrace/store')).toThrow(/cannot access \/proc\/tailrace\/store/);
  });
});
