import type { Change } from '../../../src/kit/index.js';
import { groupEdit } from '../group-fold.js';
import { isText, maxIndexedBytes, maxRowBytes, refusedEntryBytes } from '../text-bytes.js';
import type { ByteColumns } from './mirror-tables.js';

/** Why the tables of a mirror cannot hold what a change brings; undefined when they can. */
export const refusedByMirror = (change: Change, { keys, values }: ByteColumns): string | undefined => {
  if (change.op === 'publish' || change.op === 'propagate') return undefined; // no data
  if (change.op === 'clear')
    return change.type === 'slot'
      ? `slot ${change.slot} is cleared, whose keys a mirror does not know`
      : undefined;
  const { key } = change;
  const part = 'field' in change ? change.field : 'member' in change ? change.member : undefined;
  if (keys === 'text' && !(isText(key) && (part === undefined || isText(part))))
    return 'the key, field or member is no text (UTF-8 without NUL): set keys to bytea';
  const named = key.length + change.ns.length + (part?.length ?? 0);
  if (named > maxIndexedBytes)
    return `key, field and member have ${named} bytes, more than an index of Postgres holds (${maxIndexedBytes})`;
  return change.op === 'streamMeta' ? refusedGroup(change, named, keys) : refusedValue(change, values);
};

const refusedGroup = (
  change: Extract<Change, { op: 'streamMeta' }>,
  keyBytes: number,
  keys: ByteColumns['keys'],
): string | undefined => {
  const edit = groupEdit(change);
  if (edit === undefined) return undefined;
  const consumer =
    edit.kind === 'consumer' ? edit.consumer : edit.kind === 'pending' ? edit.entry?.consumer : undefined;
  if (keys === 'text' && !(isText(edit.group) && (consumer === undefined || isText(consumer))))
    return 'the name of a group or consumer is no text (UTF-8 without NUL): set keys to bytea';
  const named = keyBytes + edit.group.length + (consumer?.length ?? 0);
  return named > maxIndexedBytes
    ? `key, group and consumer have ${named} bytes, more than an index of Postgres holds (${maxIndexedBytes})`
    : undefined;
};

const refusedValue = (change: Change, values: ByteColumns['values']): string | undefined => {
  if (change.op === 'put' && change.type === 'stream') {
    let bytes = 0;
    for (const field of change.fields) {
      if (values === 'text' && !isText(field)) return noText;
      bytes += field.length;
    }
    return refusedEntryBytes(bytes);
  }
  if (!('value' in change) || change.value === undefined) return undefined;
  const { length } = change.value;
  if (length > maxRowBytes) return tooLarge(length);
  if (change.type === 'json') return isText(change.value) ? undefined : 'the JSON document is no UTF-8';
  const isBinary = change.type === 'bitmap' || change.type === 'hyperloglog';
  return values === 'text' && !isBinary && !isText(change.value) ? noText : undefined;
};

const noText = 'the value is no text (UTF-8 without NUL): set values to bytea';
const tooLarge = (bytes: number): string => `its ${bytes} bytes are more than a row of Postgres holds`;
