import type { ValueType } from '../../../src/kit/index.js';
import type { ElementChange } from '../batch-fold.js';
import type { FieldWriter } from '../field-bytes.js';
import type { Column } from '../table-schema.js';
import type { ByteColumn } from '../text-bytes.js';

/** A table with one row for each element of the collections of a type. */
export interface ElementTable {
  readonly name: string;
  /** What names an element within its key. */
  readonly element: readonly Column[];
  /** What the element holds; empty for those that are just there. */
  readonly contents: readonly Column[];
  /** The type in which the columns of `element` are sent, when it is another; they are cast on the way. */
  readonly sentElement?: string;
  /** The same for those of `contents`. */
  readonly sentContents?: string;
  /** What replaces the contents of a row that is there; the new one when not given. */
  readonly merged?: string;
  /** Writes the fields of `element`, and for what is put those of `contents`. */
  write(rows: FieldWriter, change: ElementChange): void;
}

/** How the bytes of keys and values stand in the tables. */
export interface ByteColumns {
  readonly keys: ByteColumn;
  readonly values: ByteColumn;
}

/** ns and key, with which every table begins. */
export const keyColumns = ({ keys }: ByteColumns): readonly Column[] => [
  { name: 'ns', type: 'text', isRequired: true },
  { name: 'key', type: keys, isRequired: true },
];

/** The tables of collections by type. Lists are not among them: their rows are edited by position. */
export const elementTables = ({ keys, values }: ByteColumns): ReadonlyMap<ValueType, ElementTable> => {
  const tables: readonly [ValueType, ElementTable][] = [
    [
      'hash',
      {
        name: 'hashes',
        element: [{ name: 'field', type: keys }],
        contents: [{ name: 'value', type: values }],
        write: (rows, change) => {
          if (change.type !== 'hash') return;
          rows.bytes(change.field);
          if (change.op === 'put') rows.bytes(change.value);
        },
      },
    ],
    [
      'set',
      {
        name: 'sets',
        element: [{ name: 'member', type: keys }],
        contents: [],
        write: (rows, change) => {
          if (change.type === 'set') rows.bytes(change.member);
        },
      },
    ],
    [
      'zset',
      {
        name: 'sorted_sets',
        element: [{ name: 'member', type: keys }],
        contents: [{ name: 'score', type: 'double precision' }],
        write: (rows, change) => {
          if (change.type !== 'zset') return;
          rows.bytes(change.member);
          if (change.op === 'put') rows.float8(change.score);
        },
      },
    ],
    [
      'sortedint',
      {
        name: 'sorted_ints',
        element: [{ name: 'id', type: 'numeric(20,0)' }],
        contents: [],
        sentElement: 'text',
        write: (rows, change) => {
          if (change.type === 'sortedint') rows.text(String(change.id));
        },
      },
    ],
    [
      'stream',
      {
        name: 'streams',
        // Halves of an id go up to 2^64.
        element: [
          { name: 'ms', type: 'numeric(20,0)' },
          { name: 'seq', type: 'numeric(20,0)' },
        ],
        contents: [{ name: 'fields', type: `${values}[]` }],
        sentElement: 'text',
        sentContents: 'text', // an array of arrays would be unnested as a whole
        write: (rows, change) => {
          if (change.type !== 'stream') return;
          const dash = change.id.indexOf('-');
          rows.text(change.id.slice(0, dash));
          rows.text(change.id.slice(dash + 1));
          if (change.op === 'put') rows.text(arrayText(change.fields, values));
        },
      },
    ],
    [
      'bitmap',
      {
        name: 'bitmaps',
        element: [{ name: 'start', type: 'bigint' }],
        contents: [{ name: 'bytes', type: 'bytea' }],
        merged: 'excluded.bytes || substring(held.bytes FROM octet_length(excluded.bytes) + 1)',
        write: (rows, change) => {
          if (change.type !== 'bitmap') return;
          rows.int8(change.offset);
          rows.bytes(change.value);
        },
      },
    ],
    [
      'hyperloglog',
      {
        name: 'hyperloglogs',
        element: [{ name: 'segment', type: 'integer' }],
        contents: [{ name: 'registers', type: 'bytea' }],
        write: (rows, change) => {
          if (change.type !== 'hyperloglog') return;
          rows.int4(change.segment);
          rows.bytes(change.value);
        },
      },
    ],
  ];
  return new Map(tables);
};

/** As the server reads an array from text: every element in quotes, byteas in hexadecimal digits. */
const arrayText = (elements: readonly Uint8Array[], type: ByteColumn): string => {
  const quoted = elements.map((element) => {
    const bytes = Buffer.from(element.buffer, element.byteOffset, element.length);
    if (type === 'bytea') return `"\\\\x${bytes.toString('hex')}"`;
    return `"${bytes.toString().replaceAll(/["\\]/g, '\\$&')}"`;
  });
  return `{${quoted.join(',')}}`;
};

/** The table of strings, or of JSON documents: one row a key. */
export const wholeTable = (
  type: 'string' | 'json',
  bytes: ByteColumns,
): { readonly name: string; readonly columns: readonly Column[] } => {
  const content =
    type === 'json' ? { name: 'document', type: 'jsonb' } : { name: 'value', type: bytes.values };
  return {
    name: type === 'json' ? 'json' : 'strings',
    columns: [...keyColumns(bytes), content, { name: 'expires_at', type: 'timestamp with time zone' }],
  };
};

export const collectionsTable = (
  bytes: ByteColumns,
): { readonly name: string; readonly columns: readonly Column[] } => ({
  name: 'collections',
  columns: [
    ...keyColumns(bytes),
    { name: 'type', type: 'text', isRequired: true },
    { name: 'expires_at', type: 'timestamp with time zone' },
    { name: 'size', type: 'bigint' },
  ],
});

export const listsTable = ({ values }: ByteColumns): Pick<ElementTable, 'name' | 'element' | 'contents'> => ({
  name: 'lists',
  element: [{ name: 'position', type: 'bigint' }],
  contents: [{ name: 'value', type: values }],
});
