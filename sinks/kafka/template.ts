import { type Change, capturesOf } from '../../src/kit/index.js';

/**
 * Text with placeholders that a change fills in:
 *
 *   {pipeline} {namespace} {type} {op}
 *   {key}       the key; empty for changes without one, such as a flush
 *   {field}     field of a hash, member of a set or sorted set, id of a stream entry; empty otherwise
 *   {position}  `first.index`: names the change once and for all, and orders it
 *   {NAME}      what a placeholder of the key pattern matched
 */
export class Template {
  /** True when the result depends on the namespace, type and op of a change alone. */
  readonly isCoarse: boolean;
  readonly #parts: readonly Part[];
  readonly #pipeline: Buffer;

  /** @throws Error that names an unknown placeholder */
  constructor(text: string, pipeline: string, pattern: KeyPattern) {
    this.#parts = parse(text, pattern);
    this.#pipeline = Buffer.from(pipeline);
    this.isCoarse = this.#parts.every((part) => typeof part !== 'string' || coarse.has(part));
  }

  /** The result as bytes, which may be the key itself. Undefined when the key does not match the key pattern. */
  render(change: Change, first: number, match: KeyMatch | undefined): Uint8Array | undefined {
    const [only] = this.#parts;
    if (this.#parts.length === 1 && only !== undefined) return this.#fill(only, change, first, match);
    const filled: Uint8Array[] = [];
    for (const part of this.#parts) {
      const bytes = this.#fill(part, change, first, match);
      if (bytes === undefined) return undefined;
      filled.push(bytes);
    }
    return Buffer.concat(filled);
  }

  #fill(part: Part, change: Change, first: number, match: KeyMatch | undefined): Uint8Array | undefined {
    if (typeof part !== 'string') return part;
    switch (part) {
      case 'pipeline':
        return this.#pipeline;
      case 'namespace':
        return Buffer.from(change.type === 'all' ? 'all' : change.ns);
      case 'type':
        return Buffer.from(change.type);
      case 'op':
        return Buffer.from(change.op);
      case 'key':
        return 'key' in change ? change.key : noBytes;
      case 'field':
        return fieldOf(change);
      case 'position':
        return Buffer.from(`${first}.${change.index}`);
      default:
        return match?.get(part);
    }
  }
}

/** What the placeholders of a key pattern matched. */
export type KeyMatch = ReadonlyMap<string, Uint8Array>;

/**
 * Takes keys apart, such as `{entity}:{id}`: each placeholder matches at least one byte and as few as possible, the
 * last one takes the rest.
 */
export class KeyPattern {
  readonly names: readonly string[];
  /** Keys are bytes: they are matched one character a byte. */
  readonly #literals: readonly string[];

  /** @throws Error that says what is wrong with the pattern */
  constructor(text: string) {
    const names: string[] = [];
    const literals: string[] = [];
    for (const [at, piece] of text.split(/\{([^}]*)\}/).entries()) {
      if (at % 2 === 0) {
        literals.push(Buffer.from(piece).toString('latin1'));
        continue;
      }
      if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(piece)) throw new Error(`{${piece}} is no name of a placeholder`);
      if (reserved.has(piece) || names.includes(piece)) throw new Error(`the name {${piece}} is taken`);
      names.push(piece);
    }
    this.names = names;
    this.#literals = literals;
  }

  match(key: Uint8Array): KeyMatch | undefined {
    const found = capturesOf(Buffer.from(key).toString('latin1'), this.#literals);
    return found && new Map(this.names.map((name, at) => [name, Buffer.from(found[at], 'latin1')]));
  }
}

/** Literal bytes, or the name of a placeholder. */
type Part = Buffer | string;

const parse = (text: string, pattern: KeyPattern): Part[] => {
  const parts: Part[] = [];
  for (const piece of text.split(/(\{[^}]*\})/)) {
    if (piece === '') continue;
    const name = /^\{(.*)\}$/.exec(piece)?.[1];
    if (name === undefined) parts.push(Buffer.from(piece));
    else if (reserved.has(name) || pattern.names.includes(name)) parts.push(name);
    else {
      const known = [...reserved, ...pattern.names].map((each) => `{${each}}`).join(', ');
      throw new Error(`there is no placeholder {${name}}; there are ${known}`);
    }
  }
  return parts;
};

const fieldOf = (change: Change): Uint8Array => {
  if ('field' in change) return change.field;
  if ('member' in change) return change.member;
  return 'id' in change ? Buffer.from(String(change.id)) : noBytes;
};

const coarse: ReadonlySet<string> = new Set(['pipeline', 'namespace', 'type', 'op']);
const reserved: ReadonlySet<string> = new Set([...coarse, 'key', 'field', 'position']);
const noBytes: Uint8Array = new Uint8Array(0);
