import type { SinkDefinition } from '../../src/kit/index.js';
import { Changelog } from './changelog.js';
import type { Layout } from './layout.js';
import { Mirror } from './mirror/mirror.js';
import { PostgresSink } from './postgres-sink.js';
import type { ByteColumn } from './text-bytes.js';

export { PostgresSink } from './postgres-sink.js';

/** The options of the sink as a pipeline file has them. */
export interface PostgresOptions {
  readonly url: string;
  readonly password: string;
  readonly mode: 'changelog' | 'mirror';
  readonly schema: string;
  readonly table: string;
  readonly keys: ByteColumn;
  readonly values: ByteColumn;
  /** ms */
  readonly writeTimeout: number;
}

const byteColumns = ['text', 'bytea'];

export const postgresSink: SinkDefinition<PostgresOptions> = {
  name: 'postgres',
  summary: 'tables of a Postgres, exactly once: a log of the changes, or the current state',
  schema: {
    url: {
      doc: 'postgres://[user[:password]@]host[:port]/database[?sslmode=verify-full]',
      format: 'required-string',
      default: '',
    },
    password: { doc: 'password, if it is not in the URL', format: String, default: '', sensitive: true },
    mode: {
      doc: 'changelog: every change is a row; mirror: the current state, a table for each type',
      format: ['changelog', 'mirror'],
      default: 'changelog',
    },
    schema: {
      doc: 'schema of the tables and of the position',
      format: 'required-string',
      default: 'tailrace',
    },
    table: { doc: 'changelog: the table of the changes', format: 'required-string', default: 'changes' },
    keys: { doc: 'type of the columns of keys and fields', format: byteColumns, default: 'text' },
    values: { doc: 'type of the columns of values', format: byteColumns, default: 'text' },
    writeTimeout: {
      doc: 'when a write that does not end is given up, and tried again on a new connection',
      format: 'duration',
      default: 300_000,
    },
  },
  create: (options, context) => {
    const { url, password, schema, writeTimeout } = options;
    const connection = { url, password, applicationName: `tailrace ${context.pipeline}` };
    return new PostgresSink({ connection, schema, writeTimeoutMs: writeTimeout }, layoutOf(options), context);
  },
};

const layoutOf = ({ mode, schema, table, keys, values }: PostgresOptions): Layout =>
  mode === 'mirror'
    ? new Mirror({ schema, keys, values })
    : new Changelog({ table: { schema, name: table }, keys, values });
