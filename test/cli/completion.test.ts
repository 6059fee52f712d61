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

it('leaves files to the shell where an argument or the value of an option may be one', async () => {
  const [file, options, value, short, shells, split, begun, none] = await completed(
    ['run', ''],
    ['run', '--a'],
    ['serve', '--dir', ''],
    ['-c', ''],
    ['completion', ''],
    ['serve', '--sync', '=', 'al'],
    ['serve', '--sync', '='],
    ['serve', '--sync-i'],
  );
  expect([file, value, short]).toEqual([[''], [''], ['']]);
  expect(options).toEqual(['--admin']);
  expect(shells).toEqual(['bash', 'zsh', 'fish']);
  expect([split, begun, none]).toEqual([['always'], ['always', 'interval', 'none'], ['--sync-interval']]);
});

it('has a script for fish that names every command with its meaning, and says where files are of no use', () => {
  const script = completionScript('fish', completionWords(makeProgram()));
  for (const line of [
    `-n '__tailrace_reached ""' -f`,
    `-n '__tailrace_reached " checkpoint"' -a restore -d 'make a new store from a checkpoint'`,
    `-n '__tailrace_reached " serve"' -l dir -s d -r -F -d `,
    `-n '__tailrace_reached " serve"' -l sync -x -a 'always interval none' -d `,
  ])
    expect(script).toContain(`complete -c tailrace ${line}`);
  expect(script).not.toContain(`-n '__tailrace_reached " run"' -f`);
});

it('has a script for zsh that names every command, and uses none of the names that zsh keeps for itself', () => {
  const commands = completionWords(makeProgram());
  const script = completionScript('zsh', commands);
  for (const { path } of commands) expect(script).toContain(`' ${path}'`.replace("'  '", "''").trim());
  expect(script).not.toMatch(/local [^\n]*\b(path|status|options|commands)\b/);
});
