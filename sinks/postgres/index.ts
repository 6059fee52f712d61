import type { SinkDefinition } from '../../src/kit/index.js';
import type { MirrorPlace, MirrorReader } from './mirror/mirror-reader.js';
import { type MappingOptions, requireMappings } from './table/table-mapping.js';
import type { ByteColumn } from './text-bytes.js';

export type { PostgresSink } from './postgres-sink.js';
export type { MappingOptions } from './table/table-mapping.js';

/** The options of the sink as a pipeline file has them. */
export interface PostgresOptions {
  readonly url: string;
  readonly password: string;
  readonly mode: 'changelog' | 'mirror' | 'table';
  readonly schema: string;
  readonly table: string;
  readonly tables: readonly MappingOptions[];
  readonly keys: ByteColumn;
  readonly values: ByteColumn;
  readonly sync: 'interval' | 'always';
  /** ms */
  readonly writeTimeout: number;
}

const requirePostgresUrl = (value: unknown): void => {
  if (typeof value !== 'string' || value === '') throw new Error('is required');
  if (!/^postgres(ql)?:\/\//.test(value)) throw new Error('must be an address that starts with postgres://');
  if (!URL.canParse(value))
    throw new Error(
      'must be an address such as postgres://user:password@host:5432/database (it is no URL: its port is no port, or a # of the password is not written as %23)',
    );
};

/** Where the tables are, unless a pipeline file says otherwise. */
export const defaultSchema = 'tailrace';

const byteColumns = ['text', 'bytea'];

/** The sink `postgres`, as pipeline files name it. */
export const postgresSink: SinkDefinition<PostgresOptions> = {
  name: 'postgres',
  summary: 'tables of a Postgres, exactly once: a log of the changes, the current state, or rows of your own',
  schema: {
    url: {
      doc: 'postgres://[user[:password]@]host[:port]/database[?sslmode=verify-full]',
      format: requirePostgresUrl,
      default: '',
    },
    password: { doc: 'password, if it is not in the URL', format: String, default: '', sensitive: true },
    mode: {
      doc: 'changelog: every change is a row; mirror: the current state, a table for each type; table: hashes as rows',
      format: ['changelog', 'mirror', 'table'],
      default: 'changelog',
    },
    schema: {
      doc: 'schema of the tables and of the position',
      format: 'required-string',
      default: defaultSchema,
    },
    table: { doc: 'changelog: the table of the changes', format: 'required-string', default: 'changes' },
    tables: {
      doc: 'table: which hashes are rows of which table, as maps of keys, table, key, columns, expiresAt and namespace',
      format: requireMappings,
      default: [],
    },
    keys: { doc: 'type of the columns of keys and fields', format: byteColumns, default: 'text' },
    values: { doc: 'type of the columns of values', format: byteColumns, default: 'text' },
    sync: {
      doc: 'which commits wait for the disk of the server: one in 200 ms (interval), or each (always)',
      format: ['interval', 'always'],
      default: 'interval',
    },
    writeTimeout: {
      doc: 'when a write that does not end is given up, and tried again on a new connection',
      format: 'timeout',
      default: 300_000,
    },
  },
  create: async (options, context) => {
    const { makePostgresSink } = await import('./make-sink.js');
    return makePostgresSink(options, context);
  },
  soleTarget: ({ url, mode, schema }) => (mode === 'mirror' ? `${url} ${schema}` : undefined),
};

/** Loads what reads a mirror, and the client of Postgres with it. */
export const openMirror = async (place: MirrorPlace): Promise<MirrorReader> => {
  const { MirrorReader } = await import('./mirror/mirror-reader.js');
  return new MirrorReader(place);
};
