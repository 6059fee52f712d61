import type { Change } from '../../kit/index.js';
import { type ChangeStage, editStage } from './change-stage.js';
import { isJsonObject, parseJson, writeJson } from './exact-json.js';
import { KeyPattern } from './key-pattern.js';

type Expiry = Extract<Change, { readonly op: 'expire' | 'persist' }>;
type Document = Extract<Change, { readonly op: 'put'; readonly type: 'string' | 'json' }> | Expiry;

const selecting = (keys: readonly string[]): ((change: Change) => change is Document) => {
  const patterns = keys.map((pattern) => new KeyPattern(pattern));
  return (change): change is Document =>
    (change.op === 'put' || change.op === 'expire' || change.op === 'persist') &&
    (change.type === 'string' || change.type === 'json') &&
    (patterns.length === 0 || patterns.some((pattern) => pattern.matches(change.key)));
};

/** Strings that hold a JSON object or list become JSON documents; others stay what they are. */
export const parseJsonStage = (keys: readonly string[]): ChangeStage => {
  const isSelected = selecting(keys);
  return editStage((change) => {
    if (!isSelected(change) || change.type !== 'string' || change.value === undefined) return change;
    const document = documentOf(change.value);
    return typeof document === 'object' && document !== null
      ? ({ ...change, type: 'json' } as Change)
      : change;
  });
};

/**
 * Brings the nested objects of JSON documents to one level, `{"a":{"b":1}}` to `{"a.b":1}`. Lists stay whole. As a
 * `hash` each field is a field of a hash that takes the place of the key, with its expiry.
 */
export const flattenStage = (
  keys: readonly string[],
  separator: string,
  to: 'json' | 'hash',
): ChangeStage => {
  const isSelected = selecting(keys);
  return editStage((change) => {
    if (!isSelected(change) || change.type !== 'json' || change.value === undefined) return change;
    const document = documentOf(change.value);
    if (!isJsonObject(document)) return change;
    const fields = [...flatFields(document, '', separator)];
    if (to === 'hash') return asHash(change, fields);
    return { ...change, value: Buffer.from(writeJson(Object.fromEntries(fields))) } as Change;
  }, to === 'hash');
};

const asHash = (
  change: Document,
  fields: readonly (readonly [string, unknown])[],
): Change | readonly Change[] => {
  const { seq, index, ns, key } = change;
  if (change.op !== 'put') return { ...change, type: 'hash', value: undefined };
  const changes: Change[] = [{ seq, index, ns, key, op: 'delete', type: 'key' }];
  for (const [field, value] of fields)
    changes.push({
      seq,
      index,
      ns,
      key,
      op: 'put',
      type: 'hash',
      field: Buffer.from(field),
      value: Buffer.from(typeof value === 'string' ? value : writeJson(value)),
    });
  // A hash without fields is no key at all, and nothing can expire.
  if (change.ttlAt !== undefined && fields.length > 0)
    changes.push({ seq, index, ns, key, op: 'expire', type: 'hash', ttlAt: change.ttlAt, value: undefined });
  return changes;
};

function* flatFields(
  object: Readonly<Record<string, unknown>>,
  path: string,
  separator: string,
): Generator<readonly [string, unknown]> {
  for (const [name, value] of Object.entries(object)) {
    const whole = path === '' ? name : `${path}${separator}${name}`;
    if (isJsonObject(value) && Object.keys(value).length > 0) yield* flatFields(value, whole, separator);
    else yield [whole, value];
  }
}

/** What the bytes say as JSON; undefined when they are none, or no UTF-8. */
export const documentOf = (bytes: Uint8Array): unknown => {
  try {
    return parseJson(utf8.decode(bytes));
  } catch {
    return undefined;
  }
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
