import type { ReplyWriter } from '../../resp/index.js';
import type { TableEntry } from '../command-table.js';

/**
 * What a command takes, as redis-cli's hints show it. Words in capitals are given as they are, others stand for a value;
 * `[…]` may be left out, `…` behind a word or a group `(…)` may be repeated, `A|B` is one of them. A command that is not
 * listed has its keys and its number of arguments.
 */
const syntaxOf: Readonly<Record<string, string>> = {
  append: 'key value',
  bitcount: 'key [start end [BYTE|BIT]]',
  blmove: 'source destination LEFT|RIGHT LEFT|RIGHT timeout',
  blpop: 'key… timeout',
  brpop: 'key… timeout',
  copy: 'source destination [REPLACE]',
  decrby: 'key decrement',
  expire: 'key seconds [NX|XX|GT|LT]',
  expireat: 'key unix-time-seconds [NX|XX|GT|LT]',
  getbit: 'key offset',
  getex: 'key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]',
  getrange: 'key start end',
  getset: 'key value',
  hdel: 'key field…',
  hget: 'key field',
  hincrby: 'key field increment',
  hmget: 'key field…',
  hscan: 'key cursor [MATCH pattern] [COUNT count]',
  hset: 'key (field value)…',
  hsetnx: 'key field value',
  incrby: 'key increment',
  incrbyfloat: 'key increment',
  keys: 'pattern',
  lindex: 'key index',
  linsert: 'key BEFORE|AFTER pivot element',
  lmove: 'source destination LEFT|RIGHT LEFT|RIGHT',
  lpop: 'key [count]',
  lpush: 'key element…',
  lrange: 'key start stop',
  lrem: 'key count element',
  lset: 'key index element',
  ltrim: 'key start stop',
  mset: '(key value)…',
  pexpire: 'key milliseconds [NX|XX|GT|LT]',
  psetex: 'key milliseconds value',
  publish: 'channel message',
  rename: 'key newkey',
  rpop: 'key [count]',
  rpush: 'key element…',
  sadd: 'key member…',
  scan: 'cursor [MATCH pattern] [COUNT count] [TYPE type]',
  set: 'key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]',
  setbit: 'key offset value',
  setex: 'key seconds value',
  setnx: 'key value',
  setrange: 'key offset value',
  sismember: 'key member',
  smove: 'source destination member',
  spop: 'key [count]',
  srandmember: 'key [count]',
  srem: 'key member…',
  sscan: 'key cursor [MATCH pattern] [COUNT count]',
  subscribe: 'channel…',
  xack: 'key group id…',
  xadd: 'key [NOMKSTREAM] [MAXLEN threshold] id (field value)…',
  xdel: 'key id…',
  xlen: 'key',
  xrange: 'key start end [COUNT count]',
  zadd: 'key [NX|XX] [GT|LT] [CH] [INCR] (score member)…',
  zcount: 'key min max',
  zincrby: 'key increment member',
  zpopmax: 'key [count]',
  zpopmin: 'key [count]',
  zrange: 'key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]',
  zrank: 'key member',
  zrem: 'key member…',
  zscan: 'key cursor [MATCH pattern] [COUNT count]',
  zscore: 'key member',
  pollupdates:
    'sequence [MAX count] [STRICT] [FORMAT format] [BLOCK milliseconds] [MATCH pattern] [TYPE type]',
};

/** One argument, as COMMAND DOCS tells it. */
export interface ArgumentDoc {
  readonly name: string;
  readonly type: 'string' | 'key' | 'pure-token' | 'oneof' | 'block';
  /** The word that stands before the value, or is the argument. */
  readonly token?: string;
  readonly isOptional?: boolean;
  readonly isMultiple?: boolean;
  readonly parts?: readonly ArgumentDoc[];
}

export const argumentsOf = (entry: TableEntry): readonly ArgumentDoc[] => {
  const syntax = syntaxOf[entry.name];
  return syntax === undefined ? plainArguments(entry) : new SyntaxReader(syntax).all();
};

/** Keys where the command has them, other arguments elsewhere, and more when it takes more. */
const plainArguments = ({ arity, data, server }: TableEntry): ArgumentDoc[] => {
  const { first, last, step } = data?.keys ?? server?.keys ?? { first: 0, last: 0, step: 0 };
  const count = Math.abs(arity) - 1;
  const isKey = (at: number): boolean =>
    first > 0 && at >= first && (last < 0 || at <= last) && (at - first) % step === 0;
  const docs = Array.from({ length: count }, (_, i) => valueDoc(isKey(i + 1) ? 'key' : 'arg'));
  if (arity >= 0) return docs;
  const takesKeys = last === -1 && step === 1;
  return [...docs, { ...valueDoc(takesKeys ? 'key' : 'arg'), isOptional: true, isMultiple: true }];
};

const keyNames = new Set(['key', 'newkey', 'source', 'destination']);

const valueDoc = (name: string, token?: string): ArgumentDoc => ({
  name,
  type: keyNames.has(name) ? 'key' : 'string',
  ...(token === undefined ? {} : { token }),
});

/** Reads a line of the table above. */
class SyntaxReader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(syntax: string) {
    this.#words = syntax.match(/[[\]()…|]|[^[\]()…|\s]+/g) ?? [];
  }

  all(): ArgumentDoc[] {
    const docs: ArgumentDoc[] = [];
    while (this.#at < this.#words.length && !/[\])]/.test(this.#words[this.#at])) docs.push(this.#next());
    return docs;
  }

  /** An argument and its alternatives. */
  #next(): ArgumentDoc {
    const choices = [this.#single()];
    while (this.#takes('|')) choices.push(this.#single());
    if (choices.length === 1) return choices[0];
    return { name: choices.map(({ name }) => name).join('-or-'), type: 'oneof', parts: choices };
  }

  #single(): ArgumentDoc {
    let doc: ArgumentDoc;
    if (this.#takes('[')) doc = { ...this.#group(), isOptional: true };
    else if (this.#takes('(')) doc = this.#group();
    else doc = this.#value(this.#words[this.#at++]);
    return this.#takes('…') ? { ...doc, isMultiple: true } : doc;
  }

  #group(): ArgumentDoc {
    const parts = this.all();
    this.#at++; // the closing bracket
    return parts.length === 1 ? parts[0] : { name: parts[0].name, type: 'block', parts };
  }

  /** A value; a word in capitals, alone or, as in `EX seconds`, before its value. */
  #value(word: string): ArgumentDoc {
    if (!/^[A-Z]/.test(word)) return valueDoc(word);
    const next = this.#words[this.#at] ?? '';
    if (!/^[a-z]/.test(next) || !this.#isClosedAfterValue())
      return { name: word.toLowerCase(), type: 'pure-token', token: word };
    this.#at++;
    return valueDoc(next, word);
  }

  /** Whether what stands behind the next word ends this argument: `LEFT|RIGHT timeout` is two of them. */
  #isClosedAfterValue(): boolean {
    return /^[\]|]$/.test(this.#words[this.#at + 1] ?? '');
  }

  #takes(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }
}

/** Writes the arguments as COMMAND DOCS has them. */
export const writeArguments = (reply: ReplyWriter, docs: readonly ArgumentDoc[]): void => {
  reply.array(docs.length);
  for (const { name, type, token, isOptional, isMultiple, parts } of docs) {
    const flags = [...(isOptional ? ['optional'] : []), ...(isMultiple ? ['multiple'] : [])];
    const extra = (token === undefined ? 0 : 1) + (flags.length > 0 ? 1 : 0) + (parts === undefined ? 0 : 1);
    reply.map(2 + extra);
    reply.bulkText('name');
    reply.bulkText(name);
    reply.bulkText('type');
    reply.bulkText(type);
    if (token !== undefined) {
      reply.bulkText('token');
      reply.bulkText(token);
    }
    if (flags.length > 0) {
      reply.bulkText('flags');
      reply.set(flags.length);
      for (const flag of flags) reply.simple(flag);
    }
    if (parts !== undefined) {
      reply.bulkText('arguments');
      writeArguments(reply, parts);
    }
  }
};
