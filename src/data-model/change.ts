/**
 * Changes: what a write batch means in the words of the data model, one per logical fact, in sequence order.
 * Byte strings are Uint8Array; they borrow the batch's bytes unless said otherwise.
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
  | 'hyperloglog';

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

/** Absolute expiry in ms since the epoch; absent = the key does not expire. */
interface MayExpire {
  readonly ttlAt?: number;
}

export type Change =
  | (KeyedChange & MayExpire & { readonly op: 'put'; readonly type: 'string'; readonly value: Uint8Array })
  | (KeyedChange & {
      readonly op: 'put';
      readonly type: 'hash';
      readonly field: Uint8Array;
      readonly value: Uint8Array;
    })
  | (KeyedChange & { readonly op: 'put'; readonly type: 'set'; readonly member: Uint8Array })
  | (KeyedChange & {
      readonly op: 'put';
      readonly type: 'zset';
      readonly member: Uint8Array;
      readonly score: number;
    })
  | (KeyedChange & { readonly op: 'put'; readonly type: 'sortedint'; readonly id: bigint })
  /** Sets the bytes of a bitmap from `offset` on, in Redis' bit order. */
  | (KeyedChange & {
      readonly op: 'put';
      readonly type: 'bitmap';
      readonly offset: number;
      readonly value: Uint8Array;
    })
  | (KeyedChange & { readonly op: 'put'; readonly type: 'json'; readonly value: Uint8Array } & MayExpire)
  /** Replaces one list element; `index0` is the logical index, 0 = head. */
  | (KeyedChange & {
      readonly op: 'put';
      readonly type: 'list';
      readonly listIndex: number;
      readonly value: Uint8Array;
    })
  | (KeyedChange & {
      readonly op: 'push';
      readonly type: 'list';
      readonly side: 'head' | 'tail';
      readonly value: Uint8Array;
    })
  | (KeyedChange & { readonly op: 'pop'; readonly type: 'list'; readonly side: 'head' | 'tail' })
  /** The whole list is now exactly `values`. */
  | (KeyedChange &
      MayExpire & { readonly op: 'replace'; readonly type: 'list'; readonly values: readonly Uint8Array[] })
  | (KeyedChange & {
      readonly op: 'put';
      readonly type: 'stream';
      readonly id: string;
      readonly fields: readonly Uint8Array[];
    })
  /** Anything of a type that only has a whole-value form: `value` in Redis' own representation where there is one. */
  | (KeyedChange &
      MayExpire & { readonly op: 'put'; readonly type: 'hyperloglog' | 'bloom'; readonly value: Uint8Array })
  | (KeyedChange & { readonly op: 'delete'; readonly type: 'hash'; readonly field: Uint8Array })
  | (KeyedChange & { readonly op: 'delete'; readonly type: 'set' | 'zset'; readonly member: Uint8Array })
  | (KeyedChange & { readonly op: 'delete'; readonly type: 'sortedint'; readonly id: bigint })
  | (KeyedChange & { readonly op: 'delete'; readonly type: 'stream'; readonly id: string })
  /** The whole key is gone. */
  | (KeyedChange & { readonly op: 'delete'; readonly type: 'key' })
  | (KeyedChange & { readonly op: 'expire'; readonly type: ValueType; readonly ttlAt: number })
  | (KeyedChange & { readonly op: 'persist'; readonly type: ValueType })
  /** Stream facts that are not entries: groups, consumers, pending entries, last id. */
  | (KeyedChange & {
      readonly op: 'streamMeta';
      readonly type: 'stream';
      readonly command: readonly Uint8Array[];
    })
  /** Every key of the namespace is gone. `all`: of every namespace. */
  | (ChangeBase & { readonly op: 'clear'; readonly type: 'namespace' | 'all' })
  | (ChangeBase & {
      readonly op: 'publish';
      readonly type: 'pubsub';
      readonly channel: Uint8Array;
      readonly value: Uint8Array;
    })
  | (ChangeBase & {
      readonly op: 'propagate';
      readonly type: 'script';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
    });

/** A change that the decoder cannot express; what happens to it is the pipeline's policy, never a silent skip. */
export interface Undecodable {
  readonly seq: number;
  readonly code: 'DECODE_UNSUPPORTED' | 'DECODE_AMBIGUOUS';
  readonly reason: string;
  readonly ns?: string;
  readonly key?: Uint8Array;
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
  readonly changes: readonly Change[];
  readonly undecodable: readonly Undecodable[];
}
