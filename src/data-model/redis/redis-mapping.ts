/** How what Kvrocks has and a plain Redis lacks is kept there. */
export interface RedisMapping {
  /**
   * JSON documents: `string` (default) sets the text, `module` uses JSON.SET of a Redis that has it, `refuse`
   * reports them as unsupported.
   */
  readonly json?: 'string' | 'module' | 'refuse';
  /**
   * Sorted ints: `zset` (default) makes a sorted set of score = member = id, `native` uses SIADD of a Kvrocks, `refuse`
   * reports them.
   */
  readonly sortedInt?: 'zset' | 'native' | 'refuse';
  /** Bitmaps: `string` (default), which they are to a Redis, `native` a bitmap of a Kvrocks, by BITFIELD. */
  readonly bitmap?: 'string' | 'native';
  /** HyperLogLogs: `string` (default), in Redis' dense form, `native` a HyperLogLog of a Kvrocks, by PFADD. */
  readonly hyperLogLog?: 'string' | 'native';
  /** Whether published messages are published again; default false. */
  readonly publish?: boolean;
  /**
   * Added to every expiry, in ms; default 0. The target removes a key at its expiry whether or not the changes
   * that came later at the source (PERSIST, a longer expiry) have arrived: a grace that exceeds the lag keeps it
   * until they do.
   */
  readonly ttlGraceMs?: number;
  /**
   * What the keys of each namespace start with in the target; changes of a namespace that is not named are
   * unsupported. Default: `{ default: '' }`, the default namespace alone, keys as they are.
   */
  readonly prefixes?: Readonly<Record<string, string>>;
  /**
   * Whether SETs without an expiry that follow each other become one MSET; default false. A server takes several times as
   * many keys that way; a cluster takes no MSET of keys in different slots.
   */
  readonly foldSets?: boolean;
  /**
   * Whether small hashes that are copied whole become one RESTORE each, with a dump as Redis 7 makes it; default false. See
   * `appendRestoreProbe` for whether a server takes it.
   */
  readonly restoreHashes?: boolean;
}

/** A change that the target cannot take under the mapping. */
export interface UnsupportedChange {
  /** Place in the changes that were given. */
  readonly change: number;
  readonly reason: string;
}

export interface EncodedCommands {
  /** How many commands were written: how many replies will come. */
  readonly commands: number;
  readonly unsupported: readonly UnsupportedChange[];
  /** True when a FLUSHDB is among them: it takes along whatever else is kept in that database. */
  readonly flushes: boolean;
}
