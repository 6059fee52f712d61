import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { pipelineSchema } from '../../config/index.js';
import { makeProgram } from '../../src/cli/program.js';
import { builtIn } from '../../src/cli/registry.js';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** Each setting of a schema, with a dot before the parts of its name. */
const settingsOf = (schema: object, path: readonly string[] = []): string[][] =>
  Object.entries(schema).flatMap(([key, entry]: [string, object]) =>
    'default' in entry ? [[...path, key]] : settingsOf(entry, [...path, key]),
  );

const pagesOfOptions = [
  ['sources.md', builtIn.sources],
  ['sinks.md', builtIn.sinks],
] as const;

/** The names in the first column of the tables of options. */
const optionsIn = (text: string): string[] =>
  [...text.matchAll(/^\| option \|.*\n((?:\|.*\n)+)/gm)]
    .flatMap(([, rows]) => rows.split('\n').map((row) => row.split('|')[1] ?? ''))
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));

/** What is under a heading of the second level. */
const section = (text: string, heading: string): string =>
  text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';

describe('the pages', () => {
  it('name every setting of a pipeline file', () => {
    const text = page('pipelines.md');
    const missing = settingsOf(pipelineSchema).map((names) => names.join('.'));
    expect(missing.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it.each(pagesOfOptions)('name every option in %s, each where it belongs', (name, definitions) => {
    const text = page(name);
    const missing = [...definitions.values()].flatMap((definition) => {
      const own = section(text, definition.name);
      const isNamed = (names: string[]): boolean =>
        own.includes(`\`${names.join('.')}\``) || names.every((part) => own.includes(`\`${part}\``));
      return settingsOf(definition.schema)
        .filter((names) => !isNamed(names))
        .map((names) => `${definition.name} ${names.join('.')}`);
    });
    expect(missing).toEqual([]);
  });

  it.each(pagesOfOptions)('name no option in %s that there is not', (name, definitions) => {
    const text = page(name);
    const unknown = [...definitions.values()].flatMap((definition) => {
      const settings = settingsOf(definition.schema).map((names) => names.join('.'));
      const isKnown = (option: string): boolean =>
        settings.some((setting) => setting === option || setting.startsWith(`${option}.`));
      return optionsIn(section(text, definition.name))
        .filter((option) => !isKnown(option))
        .map((option) => `${definition.name} ${option}`);
    });
    expect(unknown).toEqual([]);
  });

  it('name every code of an error', () => {
    const source = readFileSync(new URL('../../src/errors/tailrace-error.ts', import.meta.url), 'utf8');
    const codes = [...source.matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(40);
    const text = page('troubleshooting.md');
    expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  it('tell of every command and option what the program tells (written anew by `vitest run test/docs -u`)', async () => {
    const program = makeProgram();
    const text = [
      '# Command line',
      'Every command and option, as `--help` tells them. How they are used: [operations](operations.md), [migration](migration.md).',
      `Options of every command:\n\n${optionsOf(program)}`,
      ...program.commands.flatMap((command) => pagesOf(command, ['tailrace'])),
    ].join('\n\n');
    await expect(`${text}\n`).toMatchFileSnapshot('../../docs/command-line.md');
  });
});

const pagesOf = (command: Command, above: readonly string[]): string[] => {
  const names = [...above, command.name()];
  const parts = [...names, ...(command.commands.length > 0 ? [] : command.registeredArguments.map(shown))];
  const options = optionsOf(command);
  return [
    `${'#'.repeat(above.length + 1)} ${names.slice(1).join(' ')}`,
    `\`${parts.join(' ')}\`: ${inTable(command.description())}.`,
    ...(options === '' ? [] : [options]),
    ...command.commands.flatMap((child) => pagesOf(child, names)),
  ];
};

const shown = (argument: Command['registeredArguments'][number]): string => {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
};

const optionsOf = (command: Command): string => {
  const rows = command.options.map(({ flags, description, defaultValue, argChoices }) => {
    const choices =
      argChoices === undefined ? '' : ` (${argChoices.map((value) => `\`${value}\``).join(', ')})`;
    const isShown = defaultValue !== undefined && typeof defaultValue !== 'boolean';
    const value = isShown ? `\`${String(defaultValue)}\`` : '';
    return `| \`${flags}\` | ${inTable(description)}${choices} | ${value} |`;
  });
  return rows.length === 0 ? '' : ['| option | | default |', '|---|---|---|', ...rows].join('\n');
};

const inTable = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
