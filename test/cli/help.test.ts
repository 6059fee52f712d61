import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { makeProgram } from '../../src/cli/program.js';

/** Each command with those below it, and the words by which it is called. */
const allOf = (command: Command, above: readonly string[] = []): [string, Command][] => {
  const words = [...above, command.name()];
  return [[words.join(' '), command], ...command.commands.flatMap((child) => allOf(child, words))];
};

describe('--help', () => {
  it.each(allOf(makeProgram()))('of %s fits a terminal of 80 columns', (_words, command) => {
    let text = '';
    command.configureOutput({
      writeOut: (part) => {
        text += part;
      },
      getOutHelpWidth: () => 80,
    });
    command.outputHelp();
    expect(text).toContain('Usage:');
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});
