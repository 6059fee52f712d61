/** The steps that a list of transforms may hold, each a map with its one name and its options. */
export type TransformSettings =
  | ({ readonly kind: 'filter' } & FilterSettings)
  | { readonly kind: 'rename'; readonly keys: string; readonly to: string }
  | ({ readonly kind: 'drop' } & SelectionSettings)
  | ({ readonly kind: 'mask'; readonly values: boolean; readonly with: string } & SelectionSettings)
  | ({
      readonly kind: 'hash';
      readonly values: boolean;
      readonly algorithm: string;
      readonly secret: string;
    } & SelectionSettings)
  | { readonly kind: 'parseJson'; readonly keys: readonly string[] }
  | {
      readonly kind: 'flatten';
      readonly keys: readonly string[];
      readonly separator: string;
      readonly to: 'json' | 'hash';
    }
  | { readonly kind: 'add'; readonly keys: string; readonly fields: Readonly<Record<string, string>> }
  | {
      readonly kind: 'use';
      readonly module: string;
      readonly export: string;
      readonly options: Readonly<Record<string, unknown>>;
    };

/** A filter as a file has it: which changes go on; an empty list leaves its part open. */
export interface FilterSettings {
  readonly keys: readonly string[];
  readonly excludeKeys: readonly string[];
  readonly namespaces: readonly string[];
  readonly types: readonly string[];
  readonly ops: readonly string[];
}

interface SelectionSettings {
  readonly keys: readonly string[];
  readonly fields: readonly string[];
}

/** A route as a file has it: which changes go to the sinks that `to` names; an empty list leaves its part open. */
export interface RouteSettings {
  readonly keys: readonly string[];
  readonly namespaces: readonly string[];
  readonly types: readonly string[];
  readonly ops: readonly string[];
  readonly to: readonly string[];
  readonly key: string;
}

const list = (doc: string, format = 'string-list') => ({ doc, format, default: [] as string[] });
const keys = list('only keys that match one of these patterns');
const fields = { doc: 'globs for the names of fields', format: 'filled-list', default: [] as string[] };
const conditions = {
  namespaces: list('only these namespaces'),
  types: list('only these types, such as string and hash', 'type-list'),
  ops: list('only these operations, such as put and delete', 'op-list'),
};
const values = { doc: 'the whole value of strings too', format: Boolean, default: false };

export const transformSchemas = {
  filter: {
    keys: list('only keys that match one of these globs'),
    excludeKeys: list('no keys that match one of these globs'),
    ...conditions,
  },
  rename: {
    keys: { doc: 'pattern with captures, such as user:{id}', format: 'required-string', default: '' },
    to: { doc: 'the new key, such as people/{id}', format: 'required-string', default: '' },
  },
  drop: { keys, fields },
  mask: { keys, fields, values, with: { doc: 'what stands in their place', format: String, default: '***' } },
  hash: {
    keys,
    fields,
    values,
    algorithm: {
      doc: 'digest, written in hexadecimal',
      format: ['sha256', 'sha512', 'sha1', 'md5'],
      default: 'sha256',
    },
    secret: { doc: 'makes the digest an HMAC', format: String, default: '', sensitive: true },
  },
  parseJson: { keys },
  flatten: {
    keys,
    separator: { doc: 'stands between the names of nested fields', format: 'required-string', default: '.' },
    to: { doc: 'a flat document, or the fields of a hash', format: ['json', 'hash'], default: 'json' },
  },
  add: {
    keys: { doc: 'pattern with captures', format: 'required-string', default: '*' },
    fields: {
      doc: 'names and texts, which may hold {key}, {ns}, {type}, {op}, {seq} and captures',
      format: 'string-map',
      default: {},
    },
  },
  use: {
    module: { doc: 'path from this file, or a package', format: 'required-string', default: '' },
    export: { doc: 'name of the exported function', format: 'required-string', default: 'default' },
    options: { doc: 'handed to the function', format: 'map', default: {} },
  },
};

export const routeSchema = {
  keys: list('only keys that match one of these patterns, which may capture: order:{id}'),
  ...conditions,
  to: { doc: 'names of sinks', format: 'filled-list', default: [] as string[] },
  key: {
    doc: 'the key that these sinks see, such as orders/{id} (default: as it is)',
    format: String,
    default: '',
  },
};
