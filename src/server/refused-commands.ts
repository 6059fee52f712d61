/** Commands of Redis and Kvrocks that are not here, each group with what it answers instead. */
export interface RefusedCommands {
  /** As COMMAND DOCS names it. */
  readonly group: string;
  readonly summary: string;
  readonly error: string;
  readonly commands: readonly RefusedCommand[];
}

export interface RefusedCommand {
  readonly name: string;
  /** The version of Redis, else of Kvrocks, that brought it. */
  readonly since: string;
}

/** `names`: each with `@version` where it is not of the version that is given for all. */
const refused = (
  group: string,
  since: string,
  summary: string,
  error: string,
  names: string,
): RefusedCommands => ({
  group,
  summary,
  error: `ERR ${error}`,
  commands: names.split(/\s+/).map((word) => {
    const [name, own = since] = word.split('@');
    return { name, since: own };
  }),
});

export const refusedCommands: readonly RefusedCommands[] = [
  refused(
    'scripting',
    '2.6.0',
    'Refused: there are no Lua scripts and functions',
    'Lua scripts and functions are not supported: use MULTI and EXEC with WATCH',
    'eval eval_ro@7.0.0 evalsha evalsha_ro@7.0.0 script fcall@7.0.0 fcall_ro@7.0.0 function@7.0.0',
  ),
  refused(
    'cluster',
    '3.0.0',
    'Refused: this is one server',
    'Cluster mode is not enabled',
    'cluster clusterx readonly readwrite asking',
  ),
  refused(
    'server',
    '1.0.0',
    'Refused: what was answered is in the log',
    'what was answered is in the log already: see CHECKPOINT for backups',
    'save bgsave bgrewriteaof flushbackup',
  ),
  refused(
    'server',
    '1.0.0',
    'Refused: there are no replicas',
    'there is no replication: follow this store with POLLUPDATES, STREAMUPDATES or a pipeline',
    'sync psync@2.8.0 replconf@3.0.0 failover@6.2.0 _fetch_meta _fetch_file _db_name',
  ),
  refused(
    'server',
    '2.7.0',
    'Refused: see tailrace migrate',
    'RDB files are not read: use tailrace migrate, or RESTORE for single keys',
    'rdb',
  ),
  refused(
    'server',
    '1.0.0',
    'Refused: there is no RocksDB inside',
    'there is no RocksDB inside whose counters could be told: see INFO, SLOWLOG and MEMORY',
    'perflog stats flushblockcache',
  ),
  refused(
    'server',
    '4.0.0',
    'Refused: there is one database',
    'there is one database: use namespaces',
    'swapdb',
  ),
  refused(
    'generic',
    '2.6.0',
    'Refused: see tailrace migrate, DUMP and RESTORE',
    'keys are moved by tailrace migrate, or by DUMP and RESTORE',
    'migrate',
  ),
  refused('server', '1.0.0', 'Refused to everybody', 'DEBUG command not allowed', 'debug'),
  refused(
    'hash',
    '7.4.0',
    'Refused: fields do not expire each by itself',
    'fields of a hash do not expire each by itself: EXPIRE or HSETEXPIRE lets the whole key expire',
    `hexpire hpexpire hexpireat hpexpireat hexpiretime hpexpiretime httl hpttl hpersist hsetex hgetex`,
  ),
  refused(
    'search',
    '2.11.0',
    'Refused: there are no search indexes',
    'there are no search indexes: a pipeline can bring the data to where they are searched',
    'ft.create ft.dropindex ft.explain ft.explainsql ft.info ft.search ft.searchsql ft.tagvals ft._list',
  ),
  refused(
    'tdigest',
    '2.14.0',
    'Refused: there are no t-digests',
    'there are no t-digests',
    `tdigest.add tdigest.byrank@2.15.0 tdigest.byrevrank@2.15.0 tdigest.create tdigest.info tdigest.max tdigest.merge tdigest.min
     tdigest.quantile tdigest.rank@2.15.0 tdigest.reset tdigest.revrank@2.15.0 tdigest.trimmed_mean@2.16.0`,
  ),
  refused(
    'timeseries',
    '2.15.0',
    'Refused: there are no time series',
    'there are no time series',
    `ts.add ts.alter ts.create ts.createrule ts.decrby ts.del ts.get ts.incrby ts.info ts.madd ts.mget ts.mrange ts.mrevrange
     ts.queryindex ts.range ts.revrange`,
  ),
];
