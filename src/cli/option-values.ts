import { type Command, InvalidArgumentError, Option } from 'commander';
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
  return [...new Set(all)];
};

const required = new WeakSet<Option>();

/**
 * An option that must be there. Commander looks for its own such options before it looks for unknown ones, and so tells
 * who has misspelt one that it is missing; `requireOptions` comes behind both.
 */
export const requiredOption = (flags: string, description: string): Option => {
  const option = new Option(flags, description);
  required.add(option);
  return option;
};

/** Ends with wrong usage when an option that must be there is not, or is empty, as by a variable that is not set. */
export const requireOptions = (command: Command): void => {
  for (const option of command.options) {
    if (!required.has(option)) continue;
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value === undefined) command.error(`error: required option '${option.flags}' not specified`);
    if (value === '') command.error(`error: required option '${option.flags}' is empty`);
  }
};

/** A number of a flag. */
export const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be a whole number.');
  return value;
};

/** A number of a flag that cannot be 0. */
export const positiveNumber = (text: string): number => {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.');
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
