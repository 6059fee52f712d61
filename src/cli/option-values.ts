import { type Command, InvalidArgumentError } from 'commander';
import { changeTypes } from '../data-model/index.js';
import type { OutputOptions } from './console.js';

/** The global options, as a command's action gets them. */
export const outputOf = (command: Command): OutputOptions => {
  const { json, quiet, logLevel } = command.optsWithGlobals();
  return { isJson: json === true, isQuiet: quiet === true, logLevel };
};

/** Files given as arguments, and those given by the global `--config`. */
export const filesOf = (files: readonly string[], command: Command): readonly string[] => {
  const all = [...(command.optsWithGlobals()['config'] ?? []), ...files];
  if (all.length === 0) command.error('error: name at least one pipeline file');
  return all;
};

/** A number of a flag. */
export const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number.');
  return value;
};

/** A flag that may stand several times. */
export const repeated = (text: string, before: readonly string[] = []): string[] => [...before, text];

/** A list with commas, also by repeating the flag. */
export const listOption = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(','),
];

/** A list of types of changes. */
export const typesOption = (text: string, before: readonly string[] = []): string[] => {
  const types = listOption(text, before);
  if (types.some((type) => !changeTypes.includes(type)))
    throw new InvalidArgumentError(`There are ${changeTypes.join(', ')}.`);
  return types;
};
