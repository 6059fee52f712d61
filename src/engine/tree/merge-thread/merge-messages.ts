import { type ErrorCode, type ErrorContext, isTailraceError, TailraceError } from '../../../errors/index.js';
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
  /** Deleted ranges by column family; the changes follow in chunks. */
  readonly ranges: readonly (readonly KeyRange[])[];
}

/** What the main thread sends. */
export type ToMergeThread =
  | MergeOrder
  /** In answer to `next`; without a chunk: there is no more of this column family. */
  | { readonly kind: 'changes'; readonly chunk: Uint8Array | undefined }
  /** In answer to `take`. */
  | { readonly kind: 'units'; readonly runs: readonly Run[] }
  /** Something went wrong there: the merge must fail. */
  | { readonly kind: 'refused'; readonly error: SentError };

/** How units are asked for: as one run, as one or several, or as many runs for pages. */
export type TakeKind = 'run' | 'spread' | 'pages';

/** What the merge thread sends. */
export type FromMergeThread =
  /** Asks for changes. The first one says that the thread runs. */
  | { readonly kind: 'next'; readonly columnFamily: number }
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
  if (!isTailraceError(error)) return { message: error instanceof Error ? error.message : String(error) };
  const { message, code, context, remedy, cause } = error;
  return {
    message,
    code,
    context,
    remedy,
    ...(cause === undefined ? {} : { cause: cause instanceof Error ? cause.message : String(cause) }),
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

/** A number in shared memory that grows with each message to the merge thread, which sleeps on it. */
export const signalBytes = 4;
