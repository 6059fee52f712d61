import { type PluginContext, type Sink, TailraceError } from '../../src/kit/index.js';
import { Changelog } from './changelog.js';
import type { PostgresOptions } from './index.js';
import type { Layout } from './layout.js';
import { Mirror } from './mirror/mirror.js';
import { PostgresSink } from './postgres-sink.js';
import { RowTables } from './table/row-tables.js';
import { mappingOf } from './table/table-mapping.js';

/** Makes the sink that the options of a pipeline file describe. @throws TailraceError `CONFIG_INVALID` */
export const makePostgresSink = (options: PostgresOptions, context: PluginContext): Sink => {
  const { url, password, schema, writeTimeout, sync } = options;
  return new PostgresSink(
    {
      connection: { url, password, applicationName: `tailrace ${context.pipeline}` },
      schema,
      writeTimeoutMs: writeTimeout,
      syncIntervalMs: sync === 'always' ? 0 : syncIntervalMs,
    },
    layoutOf(options),
    context,
  );
};

const syncIntervalMs = 200;

/** What the mode of the options makes of changes. @throws TailraceError `CONFIG_INVALID` */
export const layoutOf = ({ mode, schema, table, tables, keys, values }: PostgresOptions): Layout => {
  if (mode === 'changelog') return new Changelog({ table: { schema, name: table }, keys, values });
  if (mode === 'mirror') return new Mirror({ schema, keys, values });
  if (tables.length > 0) return new RowTables(tables.map(mappingOf));
  throw new TailraceError('CONFIG_INVALID', 'the postgres sink of mode table has no tables', {
    remedy: 'Say under tables which keys are rows of which table.',
  });
};
