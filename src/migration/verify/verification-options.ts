import type { Logger } from '../../kit/index.js';
import type { KeyReader } from '../key-reader.js';
import type { RateLimits } from '../rate-limit.js';
import type { ComparedTarget } from './compared-target.js';
import type { SourceNames } from './source-names.js';

/** The two ends that are compared, and what counts as the same. */
export interface VerificationOptions {
  readonly keys: KeyReader;
  /** Which keys the source has. */
  readonly names: SourceNames;
  readonly target: ComparedTarget;
  /** Namespaces of the source that are compared; others are not looked at. */
  readonly namespaces: readonly string[];
  readonly ttlToleranceMs: number;
  /** Compares so many random keys of each side only; 0 = all. */
  readonly sample: number;
  /** How long a difference must last to count, in ms: longer than the target lags behind. */
  readonly settleMs: number;
  /** Writes the source's value over what differs. */
  readonly repairs: boolean;
  readonly rates?: RateLimits;
  readonly logger: Logger;
}

/** How long a server that cannot be reached is tried again. */
export const verificationRetry = { initialMs: 50, maxMs: 2_000, giveUpAfterMs: 60_000 };
