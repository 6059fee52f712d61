import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { throwAwayDirectory } from '../services/index.js';
import { runProgram } from '../support/run-program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The code blocks of a page in a language, joined. */
const codeOf = (page: string, language: string): string =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code)
    .join('\n');

it('the examples of the library run as they stand, for somebody who has installed it', async () => {
  const directory = throwAwayDirectory('library-examples');
  try {
    mkdirSync(join(directory.path, 'node_modules'));
    symlinkSync(root, join(directory.path, 'node_modules', 'tailrace'));
    const program = join(directory.path, 'examples.mjs');
    const code = codeOf('docs/library.md', 'js').replaceAll("'./", `'${directory.path}/`);
    writeFileSync(program, code);
    const { status, stdout, stderr } = await runProgram(process.execPath, [program]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain("'user' => 'ada'");
    expect(stdout).toMatch(/guarantee: 'exactly-once'/);
    expect(stdout).toContain('expire hash');
    expect(stdout).toMatch(/^\d+ value\nraw key$/m);
    const events = readFileSync(join(directory.path, 'changes.ndjson'), 'utf8').trimEnd().split('\n');
    expect(events.map((line) => JSON.parse(line).key)).toContain('greeting');
  } finally {
    directory.remove();
  }
});
