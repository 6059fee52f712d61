/**
 * Changes: what a write batch means in the words of the data model, one per logical fact, in the order of the
 * log. Byte strings borrow the batch's bytes: whoever keeps them longer than the batch copies them.
 */

export type ValueType =
  | 'string'
  | 'hash'
  | 'list'
  | 'set'
  | 'zset'
  | 'bitmap'
  | 'sortedint'
  | 'stream'
  | 'bloom'
  | 'json'
  | 'hyperloglog'
  | 'tdigest'
  | 'timeseries';

interface ChangeBase {
  /** Sequence number of the record that carries the fact. */
  readonly seq: number;
  /** Position among the changes of its batch, from 0: (first, index) is unique and totally ordered. */
  readonly index: number;
  /** Namespace; `__namespace` (the default one) is shown as `default`. */
  readonly ns: string;
}

interface KeyedChange extends ChangeBase {
  readonly key: Uint8Array;
}

/** The key is now exactly this value; what it held before, of whatever type, is gone. */
export interface WholeValuePut extends KeyedChange {
  readonly op: 'put';
  /** `json`: the document's text. */
  readonly type: 'string' | 'json';
  readonly value: Uint8Array;
  /** Absolute expiry in ms since the epoch; undefined = the key does not expire. */
  readonly ttlAt: number | undefined;
}

export interface HashPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'hash';
  readonly field: Uint8Array;
  readonly value: Uint8Array;
}

export interface SetPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'set';
  readonly member: Uint8Array;
}

export interface SortedSetPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'zset';
  readonly member: Uint8Array;
  readonly score: number;
}

export interface SortedIntPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'sortedint';
  readonly id: bigint;
}

/** The bitmap's bytes from `offset` on, in the bit order of Redis' strings. */
export interface BitmapPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'bitmap';
  readonly offset: number;
  readonly value: Uint8Array;
  /** Length of the whole bitmap in bytes, where it goes beyond `offset + value.length` for sure. */
  readonly size: number | undefined;
}

/**
 * The registers of one of a HyperLogLog's 16 segments: 1,024 of 6 bits, packed as in Redis' dense form. An empty
 * `value` only makes the HyperLogLog.
 */
export interface HyperLogLogPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'hyperloglog';
  readonly segment: number;
  readonly value: Uint8Array;
}

/** Replaces one element; `listIndex` 0 = head (a negative one counts from the tail, −1 = last). */
export interface ListPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'list';
  readonly listIndex: number;
  readonly value: Uint8Array;
}

export interface ListPush extends KeyedChange {
  readonly op: 'push';
  readonly type: 'list';
  readonly side: 'head' | 'tail';
  readonly value: Uint8Array;
}

export interface ListPop extends KeyedChange {
  readonly op: 'pop';
  readonly type: 'list';
  readonly side: 'head' | 'tail';
  readonly count: number;
}

export interface StreamPut extends KeyedChange {
  readonly op: 'put';
  readonly type: 'stream';
  /** `ms-seq` */
  readonly id: string;
  /** field, value, field, value … */
  readonly fields: readonly Uint8Array[];
}

/** What is known of a stream besides its entries (groups, consumers, pending entries, last id), as the command that sets it. */
export interface StreamMeta extends KeyedChange {
  readonly op: 'streamMeta';
  readonly type: 'stream';
  /** Word by word, the key included. */
  readonly command: readonly (string | Uint8Array)[];
}

export interface HashDelete extends KeyedChange {
  readonly op: 'delete';
  readonly type: 'hash';
  readonly field: Uint8Array;
}

export interface MemberDelete extends KeyedChange {
  readonly op: 'delete';
  readonly type: 'set' | 'zset';
  readonly member: Uint8Array;
}

export interface SortedIntDelete extends KeyedChange {
  readonly op: 'delete';
  readonly type: 'sortedint';
  readonly id: bigint;
}

export interface StreamDelete extends KeyedChange {
  readonly op: 'delete';
  readonly type: 'stream';
  readonly id: string;
}

/** The whole key is gone. Stands also before the puts of a key that starts anew, where an old one may be left. */
export interface KeyDelete extends KeyedChange {
  readonly op: 'delete';
  readonly type: 'key';
}

export interface Expire extends KeyedChange {
  readonly op: 'expire';
  readonly type: ValueType;
  /** ms since the epoch */
  readonly ttlAt: number;
  /** Strings and JSON: the value, unchanged, as the log carries it. */
  readonly value: Uint8Array | undefined;
}

export interface Persist extends KeyedChange {
  readonly op: 'persist';
  readonly type: ValueType;
  /** Strings and JSON: the value, unchanged, as the log carries it. */
  readonly value: Uint8Array | undefined;
}

/** Every key of the namespace is gone; of every namespace (`all`, then `ns` is empty); of one cluster slot. */
export interface Clear extends ChangeBase {
  readonly op: 'clear';
  readonly type: 'namespace' | 'all' | 'slot';
  /** Only for `slot`. */
  readonly slot: number | undefined;
}

export interface Publish extends ChangeBase {
  readonly op: 'publish';
  readonly type: 'pubsub';
  readonly channel: Uint8Array;
  readonly value: Uint8Array;
}

/** A script, function or namespace that replicas learn of: put under `key`, or deleted (up to `keyEnd`, exclusive). */
export interface Propagate extends ChangeBase {
  readonly op: 'propagate';
  readonly type: 'script';
  readonly key: Uint8Array;
  /** undefined: deleted */
  readonly value: Uint8Array | undefined;
  readonly keyEnd: Uint8Array | undefined;
}

/** One thing that a batch did, told apart by `op` and then by `type`. */
export type Change =
  | WholeValuePut
  | HashPut
  | SetPut
  | SortedSetPut
  | SortedIntPut
  | BitmapPut
  | HyperLogLogPut
  | ListPut
  | ListPush
  | ListPop
  | StreamPut
  | StreamMeta
  | HashDelete
  | MemberDelete
  | SortedIntDelete
  | StreamDelete
  | KeyDelete
  | Expire
  | Persist
  | Clear
  | Publish
  | Propagate;

const everyType: Readonly<Record<Change['type'], true>> = {
  string: true,
  hash: true,
  list: true,
  set: true,
  zset: true,
  bitmap: true,
  sortedint: true,
  stream: true,
  bloom: true,
  json: true,
  hyperloglog: true,
  tdigest: true,
  timeseries: true,
  key: true,
  namespace: true,
  all: true,
  slot: true,
  pubsub: true,
  script: true,
};
const everyOp: Readonly<Record<Change['op'], true>> = {
  put: true,
  push: true,
  pop: true,
  delete: true,
  expire: true,
  persist: true,
  streamMeta: true,
  clear: true,
  publish: true,
  propagate: true,
};

/** Every `type` that a change can have. */
export const changeTypes: readonly string[] = Object.keys(everyType);
/** Every `op` that a change can have. */
export const changeOps: readonly string[] = Object.keys(everyOp);

/** A change that the decoder cannot express; what happens to it is the pipeline's policy, never a silent skip. */
export interface Undecodable {
  readonly seq: number;
  /**
   * `DECODE_UNSUPPORTED`: nothing in Redis corresponds to it, or its bytes are of no known kind.
   * `DECODE_AMBIGUOUS`: the log alone does not tell what it means, after a restart in the middle of a key's history.
   */
  readonly code: 'DECODE_UNSUPPORTED' | 'DECODE_AMBIGUOUS';
  readonly reason: string;
  readonly ns: string | undefined;
  readonly key: Uint8Array | undefined;
}

/** One batch of the log, decoded: one transaction. */
export interface Transaction {
  /** First sequence of the batch, and its last (`first - 1` when it counts nothing). */
  readonly first: number;
  readonly last: number;
  /** Counted records. */
  readonly count: number;
  /** The serialized WriteBatch as it stands in the log. Changes borrow from it. */
  readonly bytes: Buffer;
  /** May be made when they are first read: whoever copies a transaction does so by `withChanges`. */
  readonly changes: readonly Change[];
  readonly undecodable: readonly Undecodable[];
  /**
   * Not a batch of the log but keys as a snapshot read them, each from a delete on: delivered twice, they leave the same
   * state. `first` = `last` = the sequence number at which they stood so, `count` = 0, `bytes` is empty.
   */
  readonly isSnapshot?: boolean;
}
