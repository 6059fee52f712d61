import type { TableName } from '../identifier.js';
import { columnTypes, keyTypes } from './column-type.js';
import { KeyPattern } from './key-pattern.js';

/** A mapping as a pipeline file has it. */
export interface MappingOptions {
  /** Pattern of the hashes' keys, such as `user:{id}`; the captures are the primary key. */
  readonly keys: string;
  /** `table`, in the schema `public`, or `schema.table`. */
  readonly table: string;
  readonly namespace?: string;
  /** Types of the captures; text when not given. */
  readonly key?: Readonly<Record<string, string>>;
  /** Column → its type, when the field has its name, or field and type. */
  readonly columns: Readonly<Record<string, string | { readonly field: string; readonly type: string }>>;
  /** A column for the key's expiry. */
  readonly expiresAt?: string;
}

export interface KeyColumn {
  readonly name: string;
  readonly type: string;
}

export interface ValueColumn extends KeyColumn {
  /** Field of the hash, one character a byte. */
  readonly field: string;
}

/** Which hashes are rows of which table, and how. */
export interface TableMapping {
  readonly namespace: string;
  readonly pattern: KeyPattern;
  readonly table: TableName;
  readonly key: readonly KeyColumn[];
  readonly columns: readonly ValueColumn[];
  readonly expiresAt: string | undefined;
}

/** @throws Error in words for the author of the file */
export const mappingOf = (options: MappingOptions): TableMapping => {
  const pattern = new KeyPattern(options.keys);
  const [name, schema = 'public'] = options.table.split('.').reverse();
  const types = options.key ?? {};
  for (const capture of Object.keys(types))
    if (!pattern.captures.includes(capture)) throw new Error(`${options.keys} has no capture {${capture}}`);
  const key = pattern.captures.map((capture) => ({ name: capture, type: types[capture] ?? 'text' }));
  for (const column of key) requireType(column, keyTypes);
  const columns = Object.entries(options.columns).map(([column, given]) => {
    const { field, type } = typeof given === 'string' ? { field: column, type: given } : given;
    requireType({ name: column, type }, columnTypes);
    return { name: column, type, field: Buffer.from(field).toString('latin1') };
  });
  const names = [...key, ...columns].map((column) => column.name).concat(options.expiresAt ?? []);
  const twice = names.find((column, at) => names.indexOf(column) !== at);
  if (twice !== undefined) throw new Error(`the column ${twice} of ${options.table} is named twice`);
  const namespace = options.namespace ?? 'default';
  return { namespace, pattern, table: { schema, name }, key, columns, expiresAt: options.expiresAt };
};

/** Checks the list of mappings of a pipeline file. @throws Error that says what is wrong with which */
export const requireMappings = (value: unknown): void => {
  if (!Array.isArray(value)) throw new Error('must be a list of maps with keys, table and columns');
  for (const item of value) {
    const { keys, table, columns, ...others } = item ?? {};
    if (
      typeof keys !== 'string' ||
      typeof table !== 'string' ||
      typeof columns !== 'object' ||
      columns === null
    )
      throw new Error('must be a list of maps with keys, table and columns');
    for (const name of Object.keys(others))
      if (!['namespace', 'key', 'expiresAt'].includes(name)) throw new Error(`${table}: unknown key ${name}`);
    for (const [column, given] of Object.entries<unknown>(columns)) {
      const isPair =
        typeof given === 'object' &&
        given !== null &&
        'field' in given &&
        'type' in given &&
        Object.keys(given).length === 2;
      if (typeof given !== 'string' && !isPair)
        throw new Error(`${table}: ${column} must be a type, or a map of field and type`);
    }
    mappingOf(item);
  }
};

const requireType = ({ name, type }: KeyColumn, allowed: readonly string[]): void => {
  if (!allowed.includes(type))
    throw new Error(`${name} cannot be a ${type}; there are ${allowed.join(', ')}`);
};
