import { TailraceError } from '../../src/kit/index.js';
import type { Connection } from './connection.js';
import { quoted, quotedTable, shownTable, type TableName } from './identifier.js';
import { errorKind } from './refusal.js';

export interface Column {
  readonly name: string;
  /** As `format_type` of the server names it, such as `bigint` and `timestamp with time zone`. */
  readonly type: string;
  readonly isRequired?: boolean;
  /** Numbered by the server. */
  readonly isGenerated?: boolean;
}

export interface TableSchema {
  readonly table: TableName;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
}

/**
 * Makes the table if it is missing, its schema as well; else checks that it has the columns, in whatever order and
 * with whatever others.
 * @throws TailraceError `SINK_REFUSED` without the right to make it, or when a column is missing or of another type
 */
export const ensureTable = async (connection: Connection, schema: TableSchema): Promise<void> => {
  await makeIfMissing(connection, schema);
  const { rows } = await connection.query<{ name: string; type: string }>(columnsOfTable, [
    schema.table.schema,
    schema.table.name,
  ]);
  const found = new Map(rows.map(({ name, type }) => [name, type]));
  for (const { name, type } of schema.columns) {
    const actual = found.get(name);
    if (actual === type) continue;
    const problem = actual === undefined ? 'is missing' : `has the type ${actual} instead of ${type}`;
    throw new TailraceError('SINK_REFUSED', `the column ${name} of ${shownTable(schema.table)} ${problem}`, {
      context: { table: shownTable(schema.table), column: name },
      remedy:
        'Alter the table, give the sink another one, or set keys and values to what the table was made with.',
    });
  }
};

/** @throws TailraceError `SINK_REFUSED` without the right to make it */
export const makeIfMissing = async (connection: Connection, schema: TableSchema): Promise<void> => {
  if (!(await isPresent(connection, schema.table))) await makeTable(connection, schema);
};

const isPresent = async (connection: Connection, { schema, name }: TableName): Promise<boolean> => {
  const found = await connection.query(
    'SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2',
    [schema, name],
  );
  return found.rows.length > 0;
};

const makeTable = async (connection: Connection, schema: TableSchema): Promise<void> => {
  const { table } = schema;
  try {
    await connection.query('BEGIN');
    // Two processes that find it missing at once: the second waits here, and then finds it.
    await connection.query(`SELECT pg_advisory_xact_lock(hashtext('tailrace'), hashtext('tables'))`);
    const known = await connection.query('SELECT FROM pg_namespace WHERE nspname = $1', [table.schema]);
    if (known.rows.length === 0) await connection.query(`CREATE SCHEMA ${quoted(table.schema)}`);
    if (!(await isPresent(connection, table))) await connection.query(createStatement(schema));
    await connection.query('COMMIT');
  } catch (error) {
    if (connection.loss === undefined) await connection.rollback().catch(() => undefined);
    if (errorKind(error) !== 'forbidden') throw error;
    throw new TailraceError(
      'SINK_REFUSED',
      `there is no table ${shownTable(table)}, and no right to make it`,
      {
        context: { table: shownTable(table) },
        remedy: `Let an administrator run: ${await rightToMake(connection, schema)}`,
        cause: error,
      },
    );
  }
};

/** The statements with which the user may make tables, or finds this one made. */
const rightToMake = async (connection: Connection, schema: TableSchema): Promise<string> => {
  const { table } = schema;
  const { rows } = await connection.query<{ user: string; isSchemaThere: boolean }>(
    'SELECT current_user AS "user", EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS "isSchemaThere"',
    [table.schema],
  );
  const [{ user, isSchemaThere }] = rows;
  if (!isSchemaThere) return `CREATE SCHEMA ${quoted(table.schema)} AUTHORIZATION ${quoted(user)}`;
  const onSchema = `ON SCHEMA ${quoted(table.schema)} TO ${quoted(user)}`;
  const onTable = `GRANT SELECT, INSERT, UPDATE, DELETE ON ${quotedTable(table)} TO ${quoted(user)}`;
  return `GRANT USAGE, CREATE ${onSchema}; or: ${createStatement(schema)}; GRANT USAGE ${onSchema}; ${onTable}`;
};

const createStatement = ({ table, columns, primaryKey }: TableSchema): string => {
  const lines = columns.map(({ name, type, isRequired, isGenerated }) => {
    // Compared by bytes: Redis' order, and the fastest.
    const collation = type === 'text' ? ' COLLATE "C"' : '';
    const rest = isGenerated ? ' GENERATED ALWAYS AS IDENTITY UNIQUE' : isRequired ? ' NOT NULL' : '';
    return `${quoted(name)} ${type}${collation}${rest}`;
  });
  if (primaryKey.length > 0) lines.push(`PRIMARY KEY (${primaryKey.map(quoted).join(', ')})`);
  return `CREATE TABLE ${quotedTable(table)} (${lines.join(', ')})`;
};

const columnsOfTable = `
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`;
