import type { Undecodable } from '../change.js';

/** Why a group of records cannot be told as changes. */
export interface GroupFailure {
  readonly code: Undecodable['code'];
  readonly reason: string;
}

export const ambiguous = (reason: string): GroupFailure => ({ code: 'DECODE_AMBIGUOUS', reason });

export const unsupported = (reason: string): GroupFailure => ({ code: 'DECODE_UNSUPPORTED', reason });
