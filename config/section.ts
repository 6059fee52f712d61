import convict from 'convict';
import { messageOf } from '../src/errors/index.js';
import type { Located, Place } from './document.js';
import { registerFormats } from './formats.js';
import { type Problem, suggest } from './problem.js';

/** A leaf of a schema, as convict has it. */
export interface SchemaLeaf {
  readonly doc?: string;
  readonly format?: unknown;
  readonly default: unknown;
  readonly sensitive?: boolean;
}

export interface SchemaSection {
  readonly [key: string]: SchemaLeaf | SchemaSection;
}

export const isLeaf = (entry: SchemaLeaf | SchemaSection): entry is SchemaLeaf => 'default' in entry;

/**
 * Checks a part of a file against a schema: every unknown key, every wrong value and every missing one is a problem
 * with its own place. Returns the values with defaults filled in; good only when no problem was added.
 * `others` are keys that someone else checks.
 */
export const readSection = (
  schema: SchemaSection,
  located: Located | undefined,
  where: { readonly file: string; readonly path: string; readonly place: Place },
  problems: Problem[],
  others: readonly string[] = [],
): Record<string, unknown> => {
  registerFormats();
  const { file, path } = where;
  const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
  if (isFaulty(located)) return {};
  if (
    located !== undefined &&
    located.kind !== 'map' &&
    !(located.kind === 'scalar' && located.value === null)
  ) {
    problems.push({ file, ...located.place, path, message: 'must be a map of keys and values' });
    return {};
  }
  const entries =
    located?.kind === 'map' ? located.entries : new Map<string, { key: Place; value: Located }>();
  const known = [...Object.keys(schema), ...others];
  for (const [key, entry] of entries)
    if (!known.includes(key))
      problems.push({ file, ...entry.key, path: at(key), message: `unknown key${suggest(key, known)}` });
  const values: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(schema)) {
    const found = entries.get(key)?.value;
    if (isFaulty(found)) continue;
    const place = found?.place ?? located?.place ?? where.place;
    if (!isLeaf(entry)) {
      values[key] = readSection(entry, found, { file, path: at(key), place }, problems);
      continue;
    }
    const checked = checkLeaf(entry, found);
    if ('problem' in checked) problems.push({ file, ...place, path: at(key), message: checked.problem });
    else values[key] = checked.value;
  }
  return values;
};

export const isFaulty = (located: Located | undefined): boolean =>
  located?.kind === 'scalar' && located.isFaulty === true;

/** The items of a list that may be absent; anything else is a problem. */
export const listOf = (
  located: Located | undefined,
  path: string,
  file: string,
  problems: Problem[],
): readonly Located[] => {
  if (located === undefined || isFaulty(located)) return [];
  if (located.kind === 'list') return located.items;
  problems.push({ file, ...located.place, path, message: 'must be a list' });
  return [];
};

/** Lets convict coerce and validate one value. */
const checkLeaf = (
  leaf: SchemaLeaf,
  found: Located | undefined,
): { value: unknown } | { problem: string } => {
  const given = found === undefined ? leaf.default : plain(found);
  const { sensitive: isSensitive } = leaf;
  // Convict takes any text for true.
  if (leaf.format === Boolean && typeof given !== 'boolean')
    return { problem: `must be true or false, not ${shownValue(given)}` };
  try {
    const config = convict({ value: { format: leaf.format, default: leaf.default } } as never) as unknown as {
      load(values: object): void;
      validate(options: { allowed: 'strict' }): void;
      get(key: string): unknown;
    };
    config.load({ value: given });
    config.validate({ allowed: 'strict' });
    return { value: config.get('value') };
  } catch (error) {
    const shown = isSensitive || given === '' || given === undefined ? '' : `, not ${shownValue(given)}`;
    // Convict reads text as JSON where the format is none of its own and the default is no text.
    if (error instanceof SyntaxError)
      return { problem: `must be a ${Array.isArray(leaf.default) ? 'list' : 'map'}${shown}` };
    if (isUndeclared(error, found))
      return {
        problem: `must be a value, not ${isSensitive ? 'a map' : `the map ${JSON.stringify(given)}`}`,
      };
    const text = messageOf(error);
    const reason = text.replace(/^value: /, '').replace(/: value was .*$/s, '');
    return { problem: `${readable(reason)}${shown}` };
  }
};

/** As it stands in a file; JSON has no name for a number that is too large. */
const shownValue = (value: unknown): string =>
  typeof value === 'number' ? String(value) : JSON.stringify(value);

/** Convict takes a map for a section, and says what a section misses. */
const isUndeclared = (error: unknown, found: Located | undefined): boolean =>
  found?.kind === 'map' && error instanceof Error && error.message.startsWith('configuration param ');

/** Convict's own wording, in that of the other messages. */
const readable = (reason: string): string =>
  reason
    .replace(
      /^must be one of the possible values: (.*)$/,
      (_, list: string) => `must be one of ${list.replace(/[[\]"]/g, '').replaceAll(',', ', ')}`,
    )
    .replace(/^must be of type (\w+)$/, (_, type: string) => `must be a ${type.toLowerCase()}`);

/** The bare value of a part of the file. Keys never reach a prototype. */
const plain = (located: Located): unknown => {
  if (located.kind === 'scalar') return located.value;
  if (located.kind === 'list') return located.items.map(plain);
  return Object.fromEntries([...located.entries].map(([key, { value }]) => [key, plain(value)]));
};
