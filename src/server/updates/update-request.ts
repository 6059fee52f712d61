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
  const options: RequestOptions = {
    max: defaultMax,
    isStrict: false,
    format: 'RAW',
    sinceTimeMs: undefined,
    blockMs: undefined,
    windowBytes: defaultWindowBytes,
    patterns: [],
    types: [],
  };
  for (let i = 2; i < args.length; i++) {
    const word = args[i].toString('latin1').toUpperCase();
    if (word === 'STRICT') {
      options.isStrict = true;
      continue;
    }
    const read = word === (isStream ? 'BLOCK' : 'WINDOW') ? undefined : valuedWords.get(word);
    if (read === undefined) return 'ERR syntax error';
    const value = args[++i];
    const refusal = value === undefined ? 'ERR no more item to parse' : read(options, value);
    if (refusal !== undefined) return refusal;
  }
  const { patterns, types, ...request } = options;
  const filter = patterns.length + types.length > 0 ? new UpdateFilter(patterns, types) : undefined;
  return { sequence, ...request, filter };
};

type RequestOptions = {
  -readonly [Name in keyof Omit<UpdateRequest, 'sequence' | 'filter'>]: UpdateRequest[Name];
} & {
  readonly patterns: Buffer[];
  readonly types: string[];
};

/** Takes the value of a word over. Answers why it is refused. */
type ReadValue = (options: RequestOptions, value: Buffer) => string | undefined;

const readNumber =
  (
    name: 'max' | 'sinceTimeMs' | 'blockMs' | 'windowBytes',
    least: number,
    most = Number.MAX_SAFE_INTEGER,
  ): ReadValue =>
  (options, value) => {
    const number = parseBetween(value.toString('latin1'), least, most);
    if (typeof number === 'string') return number;
    options[name] = number;
    return undefined;
  };

const readFormat: ReadValue = (options, value) => {
  const word = value.toString('latin1').toUpperCase();
  const format = formats.find((known) => known === word);
  if (format === undefined) return 'ERR invalid FORMAT option, should be RAW or RESP';
  options.format = format;
  return undefined;
};

const readPattern: ReadValue = ({ patterns }, value) => {
  patterns.push(Buffer.from(value));
  return undefined;
};

const readType: ReadValue = ({ types }, value) => {
  const type = value.toString('latin1').toLowerCase();
  if (!UpdateFilter.types.has(type)) return `ERR unknown TYPE '${type}'`;
  types.push(type);
  return undefined;
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
const defaultMax = 16;
const largestMax = 1000;
const defaultWindowBytes = 8 * 1024 * 1024;
const maxU64 = 0xffff_ffff_ffff_ffffn;

const valuedWords: ReadonlyMap<string, ReadValue> = new Map([
  ['MAX', readNumber('max', 1, largestMax)],
  ['FORMAT', readFormat],
  ['SINCE-TIME', readNumber('sinceTimeMs', 0)],
  ['MATCH', readPattern],
  ['TYPE', readType],
  ['BLOCK', readNumber('blockMs', 0)],
  ['WINDOW', readNumber('windowBytes', 1)],
]);
