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

/** The value of one setting: what the file has, or the default. */
const checkLeaf = (leaf: SchemaLeaf, found: Located | undefined): Checked => {
  if (found !== undefined) {
    const checked = checkValue(leaf, plain(found, 'value'));
    if (!('problem' in checked)) return checked;
    // A password of digits alone, filled in, is text where text is wanted.
    const asText = checkValue(leaf, plain(found, 'text'));
    return 'problem' in asText ? checked : asText;
  }
  const known = checkedDefaults.get(leaf);
  if (known !== undefined) return known;
  const checked = checkValue(leaf, leaf.default);
  // Lists and maps are made anew, for whoever gets them to keep.
  if (typeof leaf.default !== 'object') checkedDefaults.set(leaf, checked);
  return checked;
};

type Checked = { readonly value: unknown } | { readonly problem: string };

/** A file of thousands of pipelines has most of its settings from here. */
const checkedDefaults = new WeakMap<SchemaLeaf, Checked>();

/**
 * Lets convict coerce and validate one value. It gets it as the default: a map that is loaded over a default is merged with
 * it, so that entries nobody has written would stand in it.
 */
const checkValue = ({ format, default: fallback, sensitive }: SchemaLeaf, given: unknown): Checked => {
  const shown = sensitive || given === '' || given === undefined ? '' : `, not ${shownValue(given)}`;
  // Convict takes any text for true.
  if (format === Boolean && typeof given !== 'boolean') return { problem: `must be true or false${shown}` };
  try {
    const config = convict({ value: { format, default: given } } as never) as unknown as {
      validate(options: { allowed: 'strict' }): void;
      get(key: string): unknown;
    };
    config.validate({ allowed: 'strict' });
    const value = config.get('value');
    if (Array.isArray(fallback) && !Array.isArray(value)) return { problem: `must be a list${shown}` };
    return { value };
  } catch (error) {
    const text = messageOf(error);
    const reason = text.replace(/^value: /, '').replace(/: value was .*$/s, '');
    const isBare = typeof given === 'number' || typeof given === 'boolean';
    const hint = isBare && /must be (of type String|a string)$/.test(reason) ? ' (put it in quotes)' : '';
    return { problem: `${readable(reason)}${shown}${hint}` };
  }
};

/** As it stands in a file; JSON has no name for a number that is too large. */
const shownValue = (value: unknown): string =>
  typeof value === 'number' ? String(value) : JSON.stringify(value);

/** Convict's own wording, in that of the other messages. */
const readable = (reason: string): string =>
  reason
    .replace(
      /^must be one of the possible values: (.*)$/,
      (_, list: string) => `must be one of ${list.replace(/[[\]"]/g, '').replaceAll(',', ', ')}`,
    )
    .replace(/^must be of type (\w+)$/, (_, type: string) => `must be a ${type.toLowerCase()}`);

/** The bare value of a part of the file, or the text that was filled in for it. Keys never reach a prototype. */
const plain = (located: Located, as: 'value' | 'text'): unknown => {
  if (located.kind === 'scalar') return located[as] ?? located.value;
  if (located.kind === 'list') return located.items.map((item) => plain(item, as));
  return Object.fromEntries([...located.entries].map(([key, { value }]) => [key, plain(value, as)]));
};
