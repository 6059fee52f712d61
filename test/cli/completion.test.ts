import { expect, it } from 'vitest';
import { completionWords } from '../../src/cli/completion/completion-words.js';
import { completionScript } from '../../src/cli/completion/shell-scripts.js';
import { makeProgram } from '../../src/cli/program.js';
import { runProgram } from '../support/run-program.js';

/** What bash offers for the last word of each line. */
const completed = async (...lines: readonly string[][]): Promise<string[][]> => {
  const tries = lines.map(
    (words) =>
      `COMP_WORDS=(tailrace ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _tailrace; echo "\${COMPREPLY[*]}"`,
  );
  const script = completionScript('bash', completionWords(makeProgram()));
  const { stdout, stderr } = await runProgram('bash', ['-c', [script, ...tries].join('\n')]);
  expect(stderr).toBe('');
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '));
};

it('completes commands, those below them, options and the values of options', async () => {
  const program = makeProgram();
  const [commands, below, nested, values, global, some] = await completed(
    [''],
    ['checkpoint', ''],
    ['--json', 'offsets', 'set', '--s'],
    ['serve', '--sync', ''],
    ['run', '--log-level', 'd'],
    ['v'],
  );
  expect(commands).toEqual(expect.arrayContaining(program.commands.map((command) => command.name())));
  expect(below).toEqual(expect.arrayContaining(['create', 'restore', 'apply', '--password', '--json']));
  expect(nested).toEqual(['--store']);
  expect(values).toEqual(['always', 'interval', 'none']);
  expect(global).toEqual(['debug']);
  expect(some).toEqual(['validate', 'verify']);
});

it('has a script for zsh that names every command, and uses none of the names that zsh keeps for itself', () => {
  const commands = completionWords(makeProgram());
  const script = completionScript('zsh', commands);
  for (const { path } of commands) expect(script).toContain(`' ${path}'`.replace("'  '", "''").trim());
  expect(script).not.toMatch(/local [^\n]*\b(path|status|options|commands)\b/);
});
