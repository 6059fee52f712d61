import { optionWord, parseClamped } from './arguments.js';
import { ErrorReply, invalidExpire, refusal } from './reply.js';

/** Expiry times beyond this are refused: the exact numbers end there, in 285,000 years. */
const maxExpireMs = Number.MAX_SAFE_INTEGER;

/** A time to live or a time, turned into ms since the epoch; never 0, which means "never". */
export const absoluteExpiry = (amount: number, isSeconds: boolean, baseMs: number): number | undefined => {
  const ms = (isSeconds ? amount * 1000 : amount) + baseMs;
  return Math.abs(ms) <= maxExpireMs ? Math.max(1, ms) : undefined;
};

/** True for EX, PX, EXAT, PXAT in any case. */
export const isExpiryWord = (word: string): boolean =>
  word === 'EX' || word === 'PX' || word === 'EXAT' || word === 'PXAT';

/**
 * The expiry of an option `EX 10`, `PX 10000`, `EXAT t`, `PXAT t` as ms since the epoch. Amounts below 1 are
 * refused in Redis's words, with the command's name.
 */
export const expiryOfOption = (
  command: string,
  word: string,
  amount: Uint8Array | undefined,
  nowMs: number,
): number | ErrorReply => {
  if (amount === undefined) return refusal.syntax;
  const value = parseClamped(amount);
  if (value === undefined) return refusal.notInteger;
  if (value < 1) return invalidExpire(command);
  const expireMs = absoluteExpiry(value, word === 'EX' || word === 'EXAT', word.endsWith('AT') ? 0 : nowMs);
  return expireMs ?? invalidExpire(command);
};

/** The expiry of SETEX and PSETEX. */
export const expiryOfCommand = (
  command: string,
  amount: Uint8Array,
  isSeconds: boolean,
  nowMs: number,
): number | ErrorReply => {
  const value = parseClamped(amount);
  if (value === undefined) return refusal.notInteger;
  if (value < 1) return invalidExpire(command);
  return absoluteExpiry(value, isSeconds, nowMs) ?? invalidExpire(command);
};

/** When EXPIRE's change is allowed: NX without expiry, XX with one, GT / LT only to a later / earlier time. */
export interface ExpireCondition {
  readonly isNx: boolean;
  readonly isXx: boolean;
  readonly isGt: boolean;
  readonly isLt: boolean;
}

/** Parses the options of the EXPIRE family from `args[from]` on. */
export const parseExpireCondition = (args: readonly Buffer[], from: number): ExpireCondition | ErrorReply => {
  const words = args.slice(from).map(optionWord);
  const unknown = words.findIndex((word) => !['NX', 'XX', 'GT', 'LT'].includes(word));
  if (unknown >= 0) return new ErrorReply(`ERR Unsupported option ${args[from + unknown]?.toString()}`);
  const condition = {
    isNx: words.includes('NX'),
    isXx: words.includes('XX'),
    isGt: words.includes('GT'),
    isLt: words.includes('LT'),
  };
  if (condition.isNx && (condition.isXx || condition.isGt || condition.isLt))
    return new ErrorReply('ERR NX and XX, GT or LT options at the same time are not compatible');
  if (condition.isGt && condition.isLt)
    return new ErrorReply('ERR GT and LT options at the same time are not compatible');
  return condition;
};

/** Whether a key that expires at `current` (0 = never) may be made to expire at `wanted`. */
export const allowsExpiry = (condition: ExpireCondition, current: number, wanted: number): boolean => {
  if (condition.isNx && current !== 0) return false;
  if (condition.isXx && current === 0) return false;
  if (condition.isGt && (current === 0 || wanted <= current)) return false;
  return !(condition.isLt && current !== 0 && wanted >= current);
};
