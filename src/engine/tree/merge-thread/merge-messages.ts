import {
  type ErrorCode,
  type ErrorContext,
  isTailraceError,
  messageOf,
  TailraceError,
} from '../../../errors/index.js';
import type { Run } from '../../space/index.js';
import type { KeyRange } from '../changes.js';
import type { DataFileHandle } from '../data-file.js';
import type { TreeRoot } from '../superblock.js';

/** A merge to be done. */
export interface MergeOrder {
  readonly kind: 'merge';
  readonly file: DataFileHandle;
  /** Of the state that is being made. */
  readonly epoch: number;
  readonly roots: readonly TreeRoot[];
  /** By column family. The changes of those that have any follow in chunks. */
  readonly families: readonly { readonly ranges: readonly KeyRange[]; readonly hasChanges: boolean }[];
}

/** What the main thread sends. */
export type ToMergeThread =
  | MergeOrder
  /** In answer to `next`: so many bytes are in the slot, 0 behind the last; or a change that is too large for it. */
  | { readonly kind: 'changes'; readonly slot: number; readonly chunk: number | Uint8Array }
  /** In answer to `take`. */
  | { readonly kind: 'units'; readonly runs: readonly Run[] }
  /** Something went wrong there: the merge must fail. */
  | { readonly kind: 'refused'; readonly error: SentError };

/** How units are asked for: as one run, as one or several, or as many runs for pages. */
export type TakeKind = 'run' | 'spread' | 'pages';

/** What the merge thread sends. */
export type FromMergeThread =
  /** Asks for changes, in a slot. The first one says that the thread runs. */
  | { readonly kind: 'next'; readonly columnFamily: number; readonly slot: number }
  | { readonly kind: 'take'; readonly as: TakeKind; readonly units: number }
  /** Units that the new state does not use: first unit and length, in turn. */
  | { readonly kind: 'released'; readonly runs: Uint32Array }
  | { readonly kind: 'merged'; readonly roots: readonly TreeRoot[]; readonly bytesWritten: number }
  | { readonly kind: 'failed'; readonly error: SentError };

/** An error as it goes from one thread to the other. */
export interface SentError {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly context?: ErrorContext;
  readonly remedy?: string;
  readonly cause?: string;
}

export const sentError = (error: unknown): SentError => {
  if (!isTailraceError(error)) return { message: messageOf(error) };
  const { message, code, context, remedy, cause } = error;
  return {
    message,
    code,
    context,
    remedy,
    ...(cause === undefined ? {} : { cause: messageOf(cause) }),
  };
};

export const receivedError = ({ message, code, context, remedy, cause }: SentError): Error => {
  const details = cause === undefined ? {} : { cause: new Error(cause) };
  if (code === undefined) return new Error(message, details);
  return new TailraceError(code, message, {
    ...(context && { context }),
    ...(remedy && { remedy }),
    ...details,
  });
};
