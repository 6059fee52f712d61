import { xxh3 } from '../../../bytes/index.js';
import { ErrorReply, refusal } from '../reply.js';

/**
 * `IFEQ value`, `IFNE value`, `IFDEQ digest`, `IFDNE digest`: a string must be this value, or must not; itself or by its
 * digest. No string at all is other than every value.
 */
export interface ValueCondition {
  readonly isEqual: boolean;
  readonly isDigest: boolean;
  /** A digest is in lower case. Borrowed. */
  readonly operand: Buffer;
}

const conditionWords = /^IF(D?)(EQ|NE)$/;

/** The condition of a word and what stands behind it; undefined when it is another word. */
export const parseValueCondition = (
  word: string,
  operand: Buffer | undefined,
): ValueCondition | undefined | ErrorReply => {
  const [isCondition, digest, comparison] = conditionWords.exec(word) ?? [];
  if (isCondition === undefined) return undefined;
  if (operand === undefined) return refusal.syntax;
  const isEqual = comparison === 'EQ';
  if (digest === '') return { isEqual, isDigest: false, operand };
  const text = operand.toString('latin1').toLowerCase();
  if (!/^[0-9a-f]{16}$/.test(text))
    return new ErrorReply(`ERR ${word} must be exactly 16 hexadecimal characters`);
  return { isEqual, isDigest: true, operand: Buffer.from(text) };
};

export const meetsCondition = (condition: ValueCondition, value: Buffer | undefined): boolean => {
  if (value === undefined) return !condition.isEqual;
  const compared = condition.isDigest ? digestOf(value) : value;
  return compared.equals(condition.operand) === condition.isEqual;
};

/** XXH3 of 64 bits, as 16 hexadecimal digits. */
export const digestOf = (value: Buffer): Buffer =>
  Buffer.from(xxh3(value).toString(16).padStart(16, '0'), 'latin1');
