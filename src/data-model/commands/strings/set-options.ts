import { optionWord } from '../arguments.js';
import { expiryOfOption, isExpiryWord } from '../expiry.js';
import { ErrorReply, refusal } from '../reply.js';
import { parseValueCondition, type ValueCondition } from './value-condition.js';

/** The options of `SET key value [NX|XX|IFEQ v|IFNE v|IFDEQ d|IFDNE d] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`. */
export interface SetOptions {
  readonly condition: 'always' | 'ifMissing' | 'ifPresent';
  /** Of the value that is there; only with the condition `always`. */
  readonly valueCondition: ValueCondition | undefined;
  readonly answersOld: boolean;
  readonly keepsExpiry: boolean;
  /** ms since the epoch, 0 = never */
  readonly expireMs: number;
}

/** Parses the options of SET from `args[3]` on. */
export const parseSetOptions = (args: readonly Buffer[], nowMs: number): SetOptions | ErrorReply => {
  let condition: SetOptions['condition'] = 'always';
  let valueCondition: ValueCondition | undefined;
  let answersOld = false;
  let keepsExpiry = false;
  let expireMs = 0;
  for (let i = 3; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'NX' && condition !== 'ifPresent') condition = 'ifMissing';
    else if (word === 'XX' && condition !== 'ifMissing') condition = 'ifPresent';
    else if (word === 'GET') answersOld = true;
    else if (word === 'KEEPTTL' && expireMs === 0) keepsExpiry = true;
    else if (isExpiryWord(word) && expireMs === 0 && !keepsExpiry) {
      const expiry = expiryOfOption('set', word, args[++i], nowMs);
      if (expiry instanceof ErrorReply) return expiry;
      expireMs = expiry;
    } else {
      const parsed = parseValueCondition(word, args[++i]);
      if (parsed instanceof ErrorReply) return parsed;
      if (parsed === undefined || valueCondition !== undefined) return refusal.syntax;
      valueCondition = parsed;
    }
  }
  if (valueCondition !== undefined && condition !== 'always') return refusal.syntax;
  return { condition, valueCondition, answersOld, keepsExpiry, expireMs };
};

/** What GETEX does to the expiry: leaves it, removes it, or sets what a word and its amount say. */
export type GetexAction =
  | { readonly kind: 'keep' | 'persist' }
  | { readonly kind: 'expire'; readonly word: string; readonly amount: Buffer };

/** The options of `GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]`; the amount is judged when the key is there, as in Redis. */
export const parseGetexOptions = (args: readonly Buffer[]): GetexAction | ErrorReply => {
  if (args.length === 2) return { kind: 'keep' };
  const word = optionWord(args[2]);
  if (word === 'PERSIST' && args.length === 3) return { kind: 'persist' };
  if (!isExpiryWord(word) || args.length !== 4) return refusal.syntax;
  return { kind: 'expire', word, amount: args[3] };
};
