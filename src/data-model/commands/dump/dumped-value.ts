import type { ScoredMember } from '../../encoding/zset-encoding.js';

/** What DUMP writes down and RESTORE makes again: a value of a type that Redis has, without name and expiry. */
export type DumpedValue =
  | { readonly type: 'string'; readonly value: Buffer }
  | { readonly type: 'list'; readonly elements: readonly Buffer[] }
  | { readonly type: 'set'; readonly members: readonly Buffer[] }
  | { readonly type: 'hash'; readonly fields: readonly HashField[] }
  | { readonly type: 'zset'; readonly members: readonly ScoredMember[] };

export interface HashField {
  readonly field: Buffer;
  readonly value: Buffer;
}

/** Bytes that are no dump, or one of a kind that is not read. Caught where a dump is opened. */
export class MalformedDump extends Error {}
