/** Kvrocks' column families by id. Each holds keys of one kind of layout; see the files of this folder. */
export const ColumnFamily = {
  /** sub-keys of hashes, lists, sets, sorted sets, bitmaps, sorted ints, Bloom filters, HyperLogLogs */
  subKeys: 0,
  /** one entry per user key; strings and JSON documents have their whole value in it */
  metadata: 1,
  /** the members of sorted sets in the order of their scores */
  scores: 2,
  /** published messages: key = channel, value = message */
  pubsub: 3,
  /** scripts, functions, namespaces: what replicas must know besides data */
  propagate: 4,
  /** entries and groups of streams */
  streams: 5,
  search: 6,
} as const;

export type ColumnFamily = (typeof ColumnFamily)[keyof typeof ColumnFamily];
