import { createHash, createHmac } from 'node:crypto';
import { type Change, matchesGlob } from '../../kit/index.js';
import { type ChangeStage, editStage } from './change-stage.js';
import { isJsonObject, parseJson, writeJson } from './exact-json.js';
import { KeyPattern } from './key-pattern.js';

/** Which values a transform works on. */
export interface FieldSelection {
  /** Only keys that match one of these patterns; none = every key. */
  readonly keys: readonly string[];
  /**
   * Globs for the names of fields: of hashes, of stream entries, and of JSON documents, where `a.b` is the field `b`
   * of the object in `a`, and the elements of a list go by the name of the list.
   */
  readonly fields: readonly string[];
  /** True: the whole value of strings too. */
  readonly values?: boolean;
}

/** What becomes of a selected value; undefined = the field goes. */
type FieldEdit = (value: Uint8Array) => Uint8Array | undefined;

/** Leaves the fields out. */
export const dropStage = (selection: FieldSelection): ChangeStage => editFields(selection, () => undefined);

/** Puts a text in place of each value. */
export const maskStage = (selection: FieldSelection, text: string): ChangeStage => {
  const mask = Buffer.from(text);
  return editFields(selection, () => mask);
};

/** Puts a digest in place of each value, in hexadecimal: equal values stay equal. With a secret it is an HMAC. */
export const hashStage = (selection: FieldSelection, algorithm: string, secret: string): ChangeStage =>
  editFields(selection, (value) => {
    const hash = secret === '' ? createHash(algorithm) : createHmac(algorithm, secret);
    return Buffer.from(hash.update(value).digest('hex'));
  });

const editFields = ({ keys, fields, values }: FieldSelection, edit: FieldEdit): ChangeStage => {
  const keyPatterns = keys.map((pattern) => new KeyPattern(pattern));
  const globs = fields.map((pattern) => Buffer.from(pattern));
  const isSelected = (name: Uint8Array): boolean => globs.some((glob) => matchesGlob(glob, name));
  return editStage((change) => {
    if (!('key' in change)) return change;
    if (keyPatterns.length > 0 && !keyPatterns.some((pattern) => pattern.matches(change.key))) return change;
    switch (change.type) {
      case 'hash':
        return 'field' in change && isSelected(change.field) ? editHash(change, edit) : change;
      case 'stream':
        return change.op === 'put' ? editEntry(change, isSelected, edit) : change;
      case 'json':
        return editValue(change, (value) => editDocument(value, isSelected, edit));
      case 'string':
        return values === true ? editValue(change, edit) : change;
      default:
        return change;
    }
  });
};

type HashFieldChange = Extract<Change, { readonly type: 'hash'; readonly field: Uint8Array }>;

/** A deleted field is only touched when fields are left out. */
const editHash = (change: HashFieldChange, edit: FieldEdit): Change | undefined => {
  if (change.op === 'delete') return edit(noBytes) === undefined ? undefined : change;
  const value = edit(change.value);
  return value && { ...change, value };
};

type StreamEntry = Extract<Change, { readonly op: 'put'; readonly type: 'stream' }>;

/** An entry that has no field left goes as a whole: streams have none without fields. */
const editEntry = (
  change: StreamEntry,
  isSelected: (name: Uint8Array) => boolean,
  edit: FieldEdit,
): Change | undefined => {
  const fields: Uint8Array[] = [];
  let isEdited = false;
  for (let at = 0; at + 1 < change.fields.length; at += 2) {
    const [name, value] = [change.fields[at], change.fields[at + 1]];
    if (!isSelected(name)) {
      fields.push(name, value);
      continue;
    }
    isEdited = true;
    const edited = edit(value);
    if (edited !== undefined) fields.push(name, edited);
  }
  if (!isEdited) return change;
  return fields.length === 0 ? undefined : { ...change, fields };
};

/** Edits the value that puts carry, and expiries of strings and documents too. */
const editValue = (change: Change, edit: FieldEdit): Change | undefined => {
  if (!('value' in change) || change.value === undefined) return change;
  const value = edit(change.value);
  if (value === change.value) return change;
  return value && ({ ...change, value } as Change);
};

const editDocument = (
  text: Uint8Array,
  isSelected: (name: Uint8Array) => boolean,
  edit: FieldEdit,
): Uint8Array => {
  let isEdited = false;
  const walk = (value: unknown, path: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => walk(item, path));
    if (!isJsonObject(value)) return value;
    const walked: [string, unknown][] = [];
    for (const [name, inner] of Object.entries(value)) {
      const innerPath = path === '' ? name : `${path}.${name}`;
      if (!isSelected(Buffer.from(innerPath))) {
        walked.push([name, walk(inner, innerPath)]);
        continue;
      }
      isEdited = true;
      const edited = edit(Buffer.from(typeof inner === 'string' ? inner : writeJson(inner)));
      if (edited !== undefined) walked.push([name, Buffer.from(edited).toString()]);
    }
    return Object.fromEntries(walked);
  };
  let document: unknown;
  try {
    document = parseJson(Buffer.from(text).toString());
  } catch {
    return text; // the source stores what it takes for JSON; what is none has no fields
  }
  const walked = walk(document, '');
  return isEdited ? Buffer.from(writeJson(walked)) : text;
};

const noBytes = Buffer.alloc(0);
