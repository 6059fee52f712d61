import type { Rejection, TailraceError, Transaction } from '../../src/kit/index.js';
import type { Connection } from './connection.js';
import type { TableName } from './identifier.js';

/** How one mode lays changes out in tables. */
export interface Layout {
  /** Names the tables, as a part of the position's key: another target has another position. */
  readonly target: string;
  /** The tables that are written to. */
  readonly tables: readonly TableName[];
  /** True when no other pipeline, and no other sink of this one, may write to these tables. */
  readonly isExclusive?: boolean;
  /** Makes or checks the tables, once for each connection. @throws TailraceError `SINK_REFUSED` */
  prepare(connection: Connection): Promise<void>;
  /** What changes become in these tables; nothing is sent yet. In turns, where there are many. */
  encode(transactions: readonly Transaction[]): Promise<EncodedBatch>;
  /** What an error of `apply` means that no single change is to blame for; undefined when it is an ordinary one. */
  explain?(error: unknown): TailraceError | undefined;
}

export interface EncodedBatch {
  /** The changes that no row of these tables can hold; as long as there are any, nothing can be carried out. */
  readonly rejections: readonly Rejection[];
  /**
   * Carries out the changes within the open transaction, once. The last statements may be left to go ahead of the next
   * one.
   */
  apply(connection: Connection): Promise<void>;
  /** The server has all of it: the memory may be used for the next one. Not called while the connection may still read it. */
  release?(): void;
}
