import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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

it('the examples pass a strict type check, whichever way the program resolves its modules', async () => {
  const directory = throwAwayDirectory('typed-examples');
  const modules = join(directory.path, 'node_modules');
  try {
    mkdirSync(join(modules, '@types'), { recursive: true });
    symlinkSync(root, join(modules, 'tailrace'));
    for (const name of ['@types/node', 'undici-types'])
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
    writeFileSync(join(directory.path, 'package.json'), '{"type":"module"}');
    writeFileSync(join(directory.path, 'library.ts'), codeOf('docs/library.md', 'js'));
    writeFileSync(join(directory.path, 'transform.mjs'), codeOf('docs/pipelines.md', 'js'));
    cpSync(join(root, 'examples/json-state-sink.mjs'), join(directory.path, 'json-state-sink.mjs'));
    writeFileSync(
      join(directory.path, 'schemas.ts'),
      `import events from 'tailrace/change-event.schema.json' with { type: 'json' };
      import pipelines from 'tailrace/pipeline.schema.json' with { type: 'json' };
      console.log(events.title, pipelines.title);`,
    );
    for (const [module, moduleResolution] of [
      ['nodenext', 'nodenext'],
      ['node20', 'node16'],
      ['esnext', 'bundler'],
    ]) {
      const compilerOptions = {
        ...{
          module,
          moduleResolution,
          target: 'es2022',
          lib: ['es2023', 'esnext.disposable'],
          types: ['node'],
        },
        ...{
          strict: true,
          noEmit: true,
          allowJs: true,
          checkJs: true,
          skipLibCheck: false,
          resolveJsonModule: true,
        },
      };
      writeFileSync(
        join(directory.path, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, include: ['*'] }),
      );
      const compiler = join(root, 'node_modules/typescript/bin/tsc');
      const { status, stdout } = await runProgram(process.execPath, [compiler, '-p', directory.path]);
      expect([moduleResolution, status, stdout]).toEqual([moduleResolution, 0, '']);
    }
  } finally {
    directory.remove();
  }
});
