import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackage } from '../../src/files/index.js';

it('finds a package that is installed beside this one, wherever the file is that names it', () => {
  expect(findPackage('yaml', join(tmpdir(), 'p.yaml'))).toMatch(/^file:.*\/node_modules\/yaml\//);
  expect(() => findPackage('no-such-package', join(tmpdir(), 'p.yaml'))).toThrow(
    expect.objectContaining({ code: 'MODULE_NOT_FOUND' }),
  );
});
