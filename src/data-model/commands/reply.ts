/**
 * What a command answers, before any protocol: the server writes it as RESP2 or RESP3.
 *
 *   number, bigint      an integer                        string    a status, such as OK
 *   Buffer              a bulk string                      null      no value
 *   array               an array of replies
 *   { kind: 'slice', bytes, start, end }   a bulk string: a part of `bytes` of which no view was made
 *   { kind: 'nullArray' }              no array: `*-1` in RESP2, null in RESP3
 *   { kind: 'double', value, text? }   bulk string in RESP2, double in RESP3; `text` where the usual one does not do
 *   { kind: 'map', entries }           key, value, key, value …: flat in RESP2, a map in RESP3
 *   { kind: 'table', entries }         key, value, key, value …: an array of pairs in RESP2, a map in RESP3
 *   { kind: 'set', members }           an array in RESP2, a set in RESP3
 *   { kind: 'pairs', items }           a, b, a, b …: flat in RESP2, an array of pairs in RESP3
 *   { kind: 'boolean', value }         0 or 1 in RESP2, a boolean in RESP3
 *   { kind: 'byProtocol', resp2, resp3 }   what Redis' modules answer in another shape since RESP3
 *   { kind: 'error', text }            code word and message, such as `WRONGTYPE Operation …`
 *
 * Whether Buffers are borrowed: see DataCommand.run.
 */
export type Reply =
  | number
  | bigint
  | string
  | Buffer
  | null
  | readonly Reply[]
  | SliceReply
  | NullArrayReply
  | DoubleReply
  | MapReply
  | TableReply
  | SetReply
  | PairsReply
  | BooleanReply
  | ProtocolReply
  | ErrorReply;

/** A bulk string that is a part of `bytes`: borrowed, and no view was made of it. */
export interface SliceReply {
  readonly kind: 'slice';
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** No array: null in RESP3, `*-1` in RESP2. */
export interface NullArrayReply {
  readonly kind: 'nullArray';
}

/** A number with its text where the usual one does not do. */
export interface DoubleReply {
  readonly kind: 'double';
  readonly value: number;
  readonly text?: string;
}

/** key, value, key, value …: flat in RESP2. */
export interface MapReply {
  readonly kind: 'map';
  readonly entries: readonly Reply[];
}

export interface TableReply {
  readonly kind: 'table';
  readonly entries: readonly Reply[];
}

/** Members in no order: an array in RESP2. */
export interface SetReply {
  readonly kind: 'set';
  readonly members: readonly Reply[];
}

/** a, b, a, b …: flat in RESP2, an array of pairs in RESP3. */
export interface PairsReply {
  readonly kind: 'pairs';
  readonly items: readonly Reply[];
}

/** 0 or 1 in RESP2. */
export interface BooleanReply {
  readonly kind: 'boolean';
  readonly value: boolean;
}

/** Of another shape in RESP3 than in RESP2; neither borrows bytes. */
export interface ProtocolReply {
  readonly kind: 'byProtocol';
  readonly resp2: Reply;
  readonly resp3: Reply;
}

/** An expected refusal: a value, not an exception. Nothing was written. */
export class ErrorReply {
  readonly kind = 'error';
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const ok = 'OK';
export const nullArray: NullArrayReply = { kind: 'nullArray' };

export const doubleReply = (value: number, text?: string): DoubleReply =>
  text === undefined ? { kind: 'double', value } : { kind: 'double', value, text };
export const mapReply = (entries: readonly Reply[]): MapReply => ({ kind: 'map', entries });
export const tableReply = (entries: readonly Reply[]): TableReply => ({ kind: 'table', entries });
export const setReply = (members: readonly Reply[]): SetReply => ({ kind: 'set', members });
export const booleanReply = (value: boolean): BooleanReply => ({ kind: 'boolean', value });
export const pairsReply = (items: readonly Reply[]): PairsReply => ({ kind: 'pairs', items });

/** The refusals that many commands share, in the words that Redis' clients match on. */
export const refusal = {
  wrongType: new ErrorReply('WRONGTYPE Operation against a key holding the wrong kind of value'),
  syntax: new ErrorReply('ERR syntax error'),
  notInteger: new ErrorReply('ERR value is not an integer or out of range'),
  notFloat: new ErrorReply('ERR value is not a valid float'),
  notPositive: new ErrorReply('ERR value is out of range, must be positive'),
  countOutOfRange: new ErrorReply('ERR value is out of range'),
  overflow: new ErrorReply('ERR increment or decrement would overflow'),
  notFinite: new ErrorReply('ERR increment would produce NaN or Infinity'),
  sameKey: new ErrorReply('ERR source and destination objects are the same'),
  noSuchKey: new ErrorReply('ERR no such key'),
  indexOutOfRange: new ErrorReply('ERR index out of range'),
  offsetOutOfRange: new ErrorReply('ERR offset is out of range'),
  tooLong: new ErrorReply('ERR string exceeds maximum allowed size (512MB)'),
  invalidCursor: new ErrorReply('ERR invalid cursor'),
} as const;

/** The refusal of a command that was called with too few or too many arguments. */
export const wrongArity = (command: string): ErrorReply =>
  new ErrorReply(`ERR wrong number of arguments for '${command}' command`);

export const invalidExpire = (command: string): ErrorReply =>
  new ErrorReply(`ERR invalid expire time in '${command}' command`);

/** The same reply without borrowed bytes. */
export const ownReply = (reply: Reply): Reply => {
  if (reply === null || typeof reply !== 'object') return reply;
  if (Buffer.isBuffer(reply)) return Buffer.from(reply);
  if ('kind' in reply) {
    if (reply.kind === 'slice') return Buffer.from(reply.bytes.subarray(reply.start, reply.end));
    if (reply.kind === 'map') return { kind: 'map', entries: reply.entries.map(ownReply) };
    if (reply.kind === 'table') return { kind: 'table', entries: reply.entries.map(ownReply) };
    if (reply.kind === 'set') return { kind: 'set', members: reply.members.map(ownReply) };
    if (reply.kind === 'pairs') return { kind: 'pairs', items: reply.items.map(ownReply) };
    return reply;
  }
  return reply.map(ownReply);
};
