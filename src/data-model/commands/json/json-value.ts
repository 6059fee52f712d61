/**
 * A JSON document that changes in place. Whole numbers are `bigint`, others `number`, so that neither a long
 * number nor the difference of 1 and 1.0 is lost. Objects are written with their names sorted, as Kvrocks does.
 */
export type JsonValue = null | boolean | bigint | number | string | JsonArray | JsonObject;
export type JsonArray = JsonValue[];
export type JsonObject = Map<string, JsonValue>;

export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/** Documents nested deeper than this are refused, where they are given and where commands would make them. */
const maxDepth = 1024;

/** True when no more than `levels` arrays and objects stand within each other, so that the text can be read again. */
export const isReadable = (value: JsonValue, levels = maxDepth): boolean => {
  if (Array.isArray(value)) return levels > 0 && value.every((item) => isReadable(item, levels - 1));
  if (!(value instanceof Map)) return true;
  if (levels === 0) return false;
  for (const item of value.values()) if (!isReadable(item, levels - 1)) return false;
  return true;
};

export const jsonType = (value: JsonValue): JsonType => {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return 'number';
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? 'array' : 'object';
};

/** Reads a document; undefined when the bytes are not one. */
export const parseJson = (bytes: Uint8Array): JsonValue | undefined => {
  try {
    const reader = new JsonReader(decoder.decode(bytes));
    return reader.document();
  } catch (error) {
    if (error instanceof NotJson || error instanceof TypeError) return undefined;
    throw error;
  }
};

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface JsonLayout {
  readonly indent: string;
  readonly newline: string;
  readonly space: string;
}

const compact: JsonLayout = { indent: '', newline: '', space: '' };

export const formatJson = (value: JsonValue, layout: JsonLayout = compact, depth = 0): string => {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return formatDouble(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value === 'boolean') return String(value);
  const isArray = Array.isArray(value);
  const items = isArray
    ? value.map((item) => formatJson(item, layout, depth + 1))
    : [...value]
        .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .map(
          ([name, item]) => `${JSON.stringify(name)}:${layout.space}${formatJson(item, layout, depth + 1)}`,
        );
  const [open, close] = isArray ? '[]' : '{}';
  if (items.length === 0) return `${open}${close}`;
  const line = layout.newline + layout.indent.repeat(depth + 1);
  return `${open}${line}${items.join(`,${line}`)}${layout.newline}${layout.indent.repeat(depth)}${close}`;
};

const formatDouble = (value: number): string => {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
};

export const equalJson = (a: JsonValue, b: JsonValue): boolean => formatJson(a) === formatJson(b);

export const copyJson = (value: JsonValue): JsonValue => {
  if (Array.isArray(value)) return value.map(copyJson);
  if (value instanceof Map) return new Map([...value].map(([name, item]) => [name, copyJson(item)]));
  return value;
};

/** The text is no JSON. Never leaves this file. */
class NotJson extends Error {}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw new NotJson();
    return value;
  }

  #value(depth: number): JsonValue {
    this.#skipSpace();
    const character = this.#text[this.#at];
    if (depth === maxDepth && (character === '{' || character === '[')) throw new NotJson();
    if (character === '{') return this.#object(depth);
    if (character === '[') return this.#array(depth);
    if (character === '"') return this.#string();
    return this.#word();
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = new Map();
    this.#at++;
    if (this.#takes('}')) return object;
    do {
      this.#skipSpace();
      const name = this.#string();
      if (!this.#takes(':')) throw new NotJson();
      object.set(name, this.#value(depth + 1));
    } while (this.#takes(','));
    if (!this.#takes('}')) throw new NotJson();
    return object;
  }

  #array(depth: number): JsonArray {
    const array: JsonArray = [];
    this.#at++;
    if (this.#takes(']')) return array;
    do array.push(this.#value(depth + 1));
    while (this.#takes(','));
    if (!this.#takes(']')) throw new NotJson();
    return array;
  }

  #string(): string {
    const token = this.#text.slice(this.#at, this.#endOfString());
    this.#at += token.length;
    try {
      return String(JSON.parse(token));
    } catch {
      throw new NotJson();
    }
  }

  /** Behind the quote that ends the string which starts here. No pattern: over megabytes its stack would overflow. */
  #endOfString(): number {
    if (this.#text[this.#at] !== '"') throw new NotJson();
    let quote = this.#at;
    for (let escapes = 1; escapes % 2 === 1; ) {
      quote = this.#text.indexOf('"', quote + 1);
      if (quote < 0) throw new NotJson();
      for (escapes = 0; this.#text[quote - 1 - escapes] === '\\'; ) escapes++;
    }
    return quote + 1;
  }

  #word(): JsonValue {
    wordToken.lastIndex = this.#at;
    const token = wordToken.exec(this.#text)?.[0];
    if (token === undefined) throw new NotJson();
    this.#at += token.length;
    if (token === 'null') return null;
    if (token === 'true' || token === 'false') return token === 'true';
    const number = /[.eE]/.test(token) ? Number(token) : wholeNumber(token);
    if (typeof number === 'number' && !Number.isFinite(number)) throw new NotJson(); // it has no text
    return number;
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    spaceToken.lastIndex = this.#at;
    this.#at += spaceToken.exec(this.#text)?.[0].length ?? 0;
  }
}

/** Whole numbers beyond 64 bits are kept as doubles, so that a long one costs no more than another. */
const wholeNumber = (text: string): bigint | number =>
  text.length > longestInt64 ? Number(text) : inInt64(BigInt(text));

export const inInt64 = (value: bigint): bigint | number =>
  value >= -(1n << 63n) && value < 1n << 64n ? value : Number(value);

const longestInt64 = 20;

const wordToken = /null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const spaceToken = /[ \t\r\n]*/y;
