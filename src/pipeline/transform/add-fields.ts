import type { Change } from '../../kit/index.js';
import { type ChangeStage, editStage } from './change-stage.js';
import { isJsonObject, writeJson } from './exact-json.js';
import { documentOf } from './json-documents.js';
import { KeyPattern, KeyTemplate, latin1 } from './key-pattern.js';

interface AddedField {
  readonly name: string;
  readonly template: KeyTemplate;
}

/**
 * Adds fields: to JSON documents, to stream entries, and to hashes, where the field is put beside the first put of its
 * key in each transaction. The texts may hold `{key}`, `{ns}`, `{type}`, `{op}`, `{seq}` and what `keys` captures.
 */
export const addStage = (keys: string, fields: Readonly<Record<string, string>>): ChangeStage => {
  const pattern = new KeyPattern(keys);
  const names = new Set([...factNames, ...pattern.captures]);
  const added = Object.entries(fields).map(
    ([name, text]): AddedField => ({ name, template: new KeyTemplate(text, names) }),
  );
  const addTo = (change: Change, seen: Set<string>): Change | readonly Change[] => {
    if (change.op !== 'put') return change;
    const captured = pattern.capture(change.key);
    if (captured === undefined) return change;
    const values = { ...captured, ...factsOf(change) };
    return change.type === 'hash'
      ? [change, ...hashFields(change, added, values, seen)]
      : withFields(change, added, values);
  };
  return {
    adds: true,
    apply: (changes, transaction) => {
      const seen = new Set<string>(); // keys of this transaction
      return editStage((change) => addTo(change, seen), true).apply(changes, transaction);
    },
  };
};

const factNames = ['key', 'ns', 'type', 'op', 'seq'];

/** As Latin-1 text, which is what templates are filled with. */
const factsOf = (change: Extract<Change, { key: Uint8Array }>): Record<string, string> => ({
  key: latin1(change.key),
  ns: latin1(Buffer.from(change.ns)),
  type: change.type,
  op: change.op,
  seq: String(change.seq),
});

type HashPut = Extract<Change, { readonly op: 'put'; readonly type: 'hash' }>;

const hashFields = (
  change: HashPut,
  added: readonly AddedField[],
  values: Readonly<Record<string, string>>,
  seen: Set<string>,
): Change[] => {
  const key = `${change.ns}\0${latin1(change.key)}`;
  if (seen.has(key)) return [];
  seen.add(key);
  return added.map(({ name, template }) => ({
    ...change,
    field: Buffer.from(name),
    value: template.fill(values),
  }));
};

const withFields = (
  change: Extract<Change, { readonly op: 'put' }>,
  added: readonly AddedField[],
  values: Readonly<Record<string, string>>,
): Change => {
  if (change.type === 'stream')
    return {
      ...change,
      fields: [
        ...change.fields,
        ...added.flatMap(({ name, template }) => [Buffer.from(name), template.fill(values)]),
      ],
    };
  if (change.type !== 'json') return change;
  const document = documentOf(change.value);
  if (!isJsonObject(document)) return change;
  const more = Object.fromEntries(
    added.map(({ name, template }) => [name, template.fill(values).toString()]),
  );
  return { ...change, value: Buffer.from(writeJson({ ...document, ...more })) };
};
