import type { Finding } from '../../src/kit/index.js';
import type { Connection } from './connection.js';
import { quotedTable, shownTable, type TableName } from './identifier.js';

/** Looks at a database as a claim would use it; changes nothing. */
export const checkDatabase = async (
  connection: Connection,
  place: string,
  tables: readonly TableName[],
): Promise<readonly Finding[]> => {
  const { rows } = await connection.query<ServerFacts>(serverFacts);
  const [facts] = rows;
  const findings: Finding[] = [
    { name: 'connection', status: 'ok', detail: `${place} answers, as user ${facts.user}` },
    checkVersion(facts),
    facts.isReadOnly
      ? {
          name: 'writes',
          status: 'fail',
          detail: 'the server is read only, as a standby is, or default_transaction_read_only is on',
          remedy: 'Give the address of the primary, or let the user write.',
        }
      : { name: 'writes', status: 'ok', detail: 'the server takes writes' },
  ];
  if (facts.encoding !== 'UTF8')
    findings.push({
      name: 'encoding',
      status: 'warn',
      detail: `the database holds text as ${facts.encoding}: what that lacks is refused`,
      remedy: 'Use a database with the encoding UTF8, or set keys and values to bytea.',
    });
  for (const table of tables) findings.push(await checkTable(connection, table));
  return findings;
};

const checkVersion = ({ version, versionNumber }: ServerFacts): Finding =>
  versionNumber >= oldestTested
    ? { name: 'version', status: 'ok', detail: `PostgreSQL ${version}` }
    : {
        name: 'version',
        status: 'warn',
        detail: `PostgreSQL ${version} is older than what the sink is made for`,
        remedy: 'Use PostgreSQL 12 or later.',
      };

const checkTable = async (connection: Connection, table: TableName): Promise<Finding> => {
  const name = 'permissions';
  const shown = shownTable(table);
  const { rows } = await connection.query<TableFacts>(tableFacts, [table.schema, table.name]);
  const [facts] = rows;
  if (!facts.isThere)
    return facts.mayCreate
      ? { name, status: 'ok', detail: `${shown} is not there yet and can be made` }
      : {
          name,
          status: 'fail',
          detail: `${shown} is not there, and the user may not make it`,
          remedy: `GRANT CREATE on the schema ${table.schema}, or on the database where there is no such schema.`,
        };
  const { rows: rights } = await connection.query<{ mayWrite: boolean }>(
    `SELECT bool_and(has_table_privilege($1, kind)) AS "mayWrite"
    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind`,
    [quotedTable(table)],
  );
  return rights[0].mayWrite
    ? { name, status: 'ok', detail: `${shown} can be written` }
    : {
        name,
        status: 'fail',
        detail: `${shown} may not be written by the user`,
        remedy: `GRANT SELECT, INSERT, UPDATE, DELETE ON ${quotedTable(table)}.`,
      };
};

interface ServerFacts {
  readonly user: string;
  readonly version: string;
  readonly versionNumber: number;
  readonly isReadOnly: boolean;
  readonly encoding: string;
}

const serverFacts = `
SELECT current_user AS "user", current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS "versionNumber",
  pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS "isReadOnly",
  current_setting('server_encoding') AS encoding`;

interface TableFacts {
  readonly isThere: boolean;
  readonly mayCreate: boolean;
}

const tableFacts = `
SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = $2) AS "isThere",
  CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
    ELSE has_schema_privilege(n.oid, 'CREATE') END AS "mayCreate"
FROM (SELECT 1) AS one LEFT JOIN pg_namespace n ON n.nspname = $1`;

const oldestTested = 120_000;
