import { UpdateFilter } from './update-filter.js';

/** How updates are written: see the encoders of the same names. */
export type UpdateFormat = 'RAW' | 'BINARY' | 'RESP' | 'JSON';

/** What a client asked POLLUPDATES or STREAMUPDATES for. */
export interface UpdateRequest {
  /** Last sequence number that the client has seen. */
  readonly sequence: bigint;
  /** Batches in one reply, at most. */
  readonly max: number;
  readonly isStrict: boolean;
  readonly format: UpdateFormat;
  /** Only what was committed after this time, in ms since the epoch. */
  readonly sinceTimeMs: number | undefined;
  readonly filter: UpdateFilter | undefined;
  /** POLLUPDATES: how long to wait for something, 0 = without end; undefined = not at all. */
  readonly blockMs: number | undefined;
  /** STREAMUPDATES: bytes sent and not acknowledged, at most. */
  readonly windowBytes: number;
}

/**
 * Reads `sequence [MAX n] [STRICT] [FORMAT f] [SINCE-TIME ms] [MATCH glob]… [TYPE type]… [BLOCK ms | WINDOW bytes]`.
 * What Kvrocks has too is read as Kvrocks reads it, down to the words of refusal.
 * @returns the request, or the error text for the client
 */
export const parseUpdateRequest = (args: readonly Buffer[], isStream: boolean): UpdateRequest | string => {
  const sequence = parseUnsigned(args[1].toString('latin1'));
  if (typeof sequence === 'string') return sequence;
  let max = defaultMax;
  let isStrict = false;
  let format: UpdateFormat = 'RAW';
  let sinceTimeMs: number | undefined;
  let blockMs: number | undefined;
  let windowBytes = defaultWindowBytes;
  const patterns: Buffer[] = [];
  const types: string[] = [];
  for (let i = 2; i < args.length; i++) {
    const word = args[i].toString('latin1').toUpperCase();
    if (word === 'STRICT') {
      isStrict = true;
      continue;
    }
    if (!valuedWords.has(word) || word === (isStream ? 'BLOCK' : 'WINDOW')) return 'ERR syntax error';
    const value = args[++i];
    if (value === undefined) return 'ERR no more item to parse';
    const text = value.toString('latin1');
    if (word === 'MATCH') patterns.push(Buffer.from(value));
    else if (word === 'TYPE') types.push(text.toLowerCase());
    else if (word === 'FORMAT') {
      const name = formats.find((known) => known === text.toUpperCase());
      if (name === undefined) return 'ERR invalid FORMAT option, should be RAW or RESP';
      format = name;
    } else if (word === 'MAX') {
      const count = parseBetween(text, 1, largestMax);
      if (typeof count === 'string') return count;
      max = count;
    } else {
      const amount = parseBetween(text, word === 'WINDOW' ? 1 : 0, Number.MAX_SAFE_INTEGER);
      if (typeof amount === 'string') return amount;
      if (word === 'BLOCK') blockMs = amount;
      else if (word === 'WINDOW') windowBytes = amount;
      else sinceTimeMs = amount;
    }
  }
  const unknownType = types.find((type) => !UpdateFilter.types.has(type));
  if (unknownType !== undefined) return `ERR unknown TYPE '${unknownType}'`;
  const filter = patterns.length + types.length > 0 ? new UpdateFilter(patterns, types) : undefined;
  return { sequence, max, isStrict, format, sinceTimeMs, filter, blockMs, windowBytes };
};

/** An unsigned 64-bit number as strtoull reads it: a minus sign wraps. The error text for anything else. */
export const parseUnsigned = (text: string): bigint | string => {
  if (!/^[+-]?\d/.test(text)) return 'ERR not started as an integer';
  if (!/^[+-]?\d+$/.test(text)) return 'ERR encounter non-integer characters';
  const value = BigInt(text.replace('+', ''));
  if (value > maxU64 || value < -maxU64) return 'ERR Numerical result out of range';
  return BigInt.asUintN(64, value);
};

const parseBetween = (text: string, least: number, most: number): number | string => {
  if (!/^[+-]?\d/.test(text)) return 'ERR not started as an integer';
  if (!/^[+-]?\d+$/.test(text)) return 'ERR encounter non-integer characters';
  const value = Number(text);
  return value >= least && value <= most ? value : 'ERR out of numeric range';
};

const formats: readonly UpdateFormat[] = ['RAW', 'BINARY', 'RESP', 'JSON'];
const valuedWords = new Set(['MAX', 'FORMAT', 'SINCE-TIME', 'MATCH', 'TYPE', 'BLOCK', 'WINDOW']);
const defaultMax = 16;
const largestMax = 1000;
const defaultWindowBytes = 8 * 1024 * 1024;
const maxU64 = 0xffff_ffff_ffff_ffffn;
