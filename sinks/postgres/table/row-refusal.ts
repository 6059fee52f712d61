import type { Change } from '../../../src/kit/index.js';
import { isText, keyText, maxIndexedBytes, maxRowBytes } from '../text-bytes.js';
import { isOfType, isPlainKey } from './column-type.js';
import type { TableMapping } from './table-mapping.js';

/** Why no row of the tables can hold what a change brings; undefined when it can, or concerns none of them. */
export const refusedByTable = (change: Change, mappings: readonly TableMapping[]): string | undefined => {
  if (change.op === 'clear' && change.type === 'slot')
    return `slot ${change.slot} is cleared, whose keys a table does not know`;
  if (change.op !== 'put' || change.type !== 'hash') return undefined;
  const key = Buffer.from(keyText(change.key), 'latin1').toString();
  for (const mapping of mappings) {
    const captured = change.ns === mapping.namespace ? mapping.pattern.match(key) : undefined;
    if (captured === undefined) continue;
    const reason = refusedKey(change.key, captured, mapping) ?? refusedValue(change, mapping);
    if (reason !== undefined) return reason;
  }
  return undefined;
};

const refusedKey = (
  key: Uint8Array,
  captured: readonly string[],
  { key: columns }: TableMapping,
): string | undefined => {
  if (!isText(key)) return 'the key is no text (UTF-8 without NUL)';
  if (key.length > maxIndexedBytes)
    return `the key has ${key.length} bytes, more than an index of Postgres holds (${maxIndexedBytes})`;
  for (const [at, { name, type }] of columns.entries())
    if (!isPlainKey(captured[at], type)) return `{${name}} is no plain ${type}: ${shown(captured[at])}`;
  return undefined;
};

const refusedValue = (
  { field, value }: Extract<Change, { op: 'put'; type: 'hash' }>,
  { columns }: TableMapping,
): string | undefined => {
  const fieldName = keyText(field);
  if (value.length > maxRowBytes) return `its ${value.length} bytes are more than a row of Postgres holds`;
  for (const column of columns) {
    if (column.field !== fieldName || column.type === 'bytea') continue;
    if (!isText(value)) return `the field of ${column.name} is no text (UTF-8 without NUL)`;
    if (column.type === 'text') continue;
    const text = Buffer.from(keyText(value), 'latin1').toString();
    if (!isOfType(text, column.type))
      return `the field of ${column.name} is no ${column.type}: ${shown(text)}`;
  }
  return undefined;
};

const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
