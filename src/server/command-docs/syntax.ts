/**
 * What a command takes, as redis-cli's hints show it. Words in capitals, and signs, are given as they are, others stand
 * for a value; `[…]` may be left out, `…` behind a word or a group `(…)` may be repeated, `A|B` is one of them.
 */
export const parseSyntax = (syntax: string): readonly ArgumentDoc[] => new SyntaxReader(syntax).all();

/** One argument, as COMMAND DOCS tells it. */
export interface ArgumentDoc {
  readonly name: string;
  readonly type: ValueKind | 'pure-token' | 'oneof' | 'block';
  /** The word that stands before the value, or is the argument. */
  readonly token?: string;
  readonly isOptional?: boolean;
  readonly isMultiple?: boolean;
  readonly parts?: readonly ArgumentDoc[];
}

type ValueKind = 'string' | 'key' | 'integer' | 'double' | 'pattern' | 'unix-time';

/** What values of these names are; all others are strings. */
const namesByKind: readonly (readonly [kind: ValueKind, names: string])[] = [
  ['key', 'key key1 key2 newkey source destination destkey sourcekey dst src'],
  [
    'integer',
    'count cursor seconds milliseconds index offset numkeys limit rank len num-matches bit ttl client-id sequence',
  ],
  ['double', 'score increment weight radius width height longitude latitude'],
  ['pattern', 'pattern'],
  ['unix-time', 'unix-time-seconds unix-time-milliseconds'],
];

const kinds = new Map(
  namesByKind.flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind] as const)),
);

const valueDoc = (name: string, token?: string): ArgumentDoc => ({
  name,
  type: kinds.get(name) ?? 'string',
  ...(token === undefined ? {} : { token }),
});

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
    if (/^[a-z]/.test(word)) return valueDoc(word);
    const next = this.#words[this.#at] ?? '';
    if (!/^[a-z]/.test(next) || !this.#isClosedAfterValue())
      return { name: word.toLowerCase(), type: 'pure-token', token: word };
    this.#at++;
    return valueDoc(next, word);
  }

  /** Whether what stands behind the next word ends this argument: `LEFT|RIGHT timeout` is two of them. */
  #isClosedAfterValue(): boolean {
    return /^[\])|]$/.test(this.#words[this.#at + 1] ?? '');
  }

  #takes(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }
}
