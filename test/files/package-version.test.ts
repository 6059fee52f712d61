import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageVersion } from '../../src/files/index.js';

describe('the version of the package', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tailrace-version-'));
    mkdirSync(join(directory, 'app', 'dist'), { recursive: true });
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  const versionAt = (path: string): string => packageVersion(pathToFileURL(join(directory, path)).href);

  it('is that of its own package.json, past those of others', () => {
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'tailrace', version: '7.8.9' }));
    writeFileSync(
      join(directory, 'app', 'package.json'),
      JSON.stringify({ name: 'other', version: '1.0.0' }),
    );
    expect(versionAt('app/dist/file.js')).toBe('7.8.9');
  });

  it('is unknown where there is none up to the root', () => {
    expect(versionAt('app/dist/bundle.js')).toBe('unknown');
  });
});
