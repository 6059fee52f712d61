import type { ValueType } from '../change.js';
import { TypeNumber, typeOfNumber } from './type-number.js';

/**
 * LogData: the note before a command's records that tells which command made them. ASCII: type number (0 for
 * commands on keys of any type), then arguments, joined by single spaces and unescaped, so that an argument
 * with a space can't be split off safely: a hint, the truth is in the records.
 */
export const LogCommand = {
  lset: 0,
  linsert: 1,
  ltrim: 2,
  lpop: 3,
  rpop: 4,
  lrem: 5,
  lpush: 6,
  rpush: 7,
  expire: 8,
  setbit: 9,
  bitop: 10,
  bitfield: 11,
  lmove: 12,
  /** Followed by the mode of the hash: see hash-encoding. Other commands on hashes have no number. */
  hashFields: 13,
} as const;

export type LogCommand = (typeof LogCommand)[keyof typeof LogCommand];

export interface LogData {
  /** undefined: the note of a command on keys of any type, such as DEL and EXPIRE */
  readonly type: ValueType | undefined;
  /** What follows the type number, split at spaces. */
  readonly words: readonly string[];
}

/** Reads a LogData blob; undefined when it doesn't start with a known type number. */
export const readLogData = (blob: Buffer): LogData | undefined => {
  if (blob.length === 1) return notesOfOneDigit[blob[0] - 0x30];
  const [number, ...words] = blob.toString('latin1').split(' ');
  if (number === undefined || !/^\d{1,2}$/.test(number)) return undefined;
  const type = typeOfNumber(Number(number));
  return type === undefined && number !== '0' ? undefined : { type, words };
};

/** The blob for a type and the words behind it; byte strings stay as they are. Owns what it returns. */
export const encodeLogData = (
  type: ValueType | undefined,
  ...words: readonly (number | string | Uint8Array)[]
): Buffer => {
  const number = type === undefined ? 0 : TypeNumber[type];
  const parts: Uint8Array[] = [Buffer.from(String(number))];
  for (const word of words) {
    parts.push(space, word instanceof Uint8Array ? word : Buffer.from(String(word)));
  }
  return Buffer.concat(parts);
};

const space = Buffer.from(' ');

/** Most notes are a type number and nothing else. */
const notesOfOneDigit: readonly LogData[] = Array.from({ length: 10 }, (_, number) => ({
  type: typeOfNumber(number),
  words: [],
}));
