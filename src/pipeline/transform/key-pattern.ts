/**
 * Patterns for keys. As in Redis' globs `*` stands for anything, `?` for one byte, `[abc]` for one of these, and `\`
 * takes the next character as it is. `{name}` stands for one byte or more and captures them; the rest of the pattern
 * decides where a capture ends, the first one as early as possible.
 *
 * Keys are bytes: they are matched as Latin-1 text, in which each byte is one character.
 */
export class KeyPattern {
  readonly #expression: RegExp;
  /** Names of the captures. */
  readonly captures: ReadonlySet<string>;

  /** @throws Error that says what is wrong with the pattern */
  constructor(pattern: string) {
    const captures = new Set<string>();
    this.#expression = new RegExp(`^${translate(pattern, captures)}$`, 's');
    this.captures = captures;
  }

  matches(key: Uint8Array): boolean {
    return this.#expression.test(latin1(key));
  }

  /** What the captures hold, as Latin-1 text; undefined when the key does not match. */
  capture(key: Uint8Array): Readonly<Record<string, string>> | undefined {
    return this.#expression.exec(latin1(key))?.groups ?? (this.matches(key) ? noCaptures : undefined);
  }
}

/** Text with `{name}` places to fill in; `{{` stands for `{`. */
export class KeyTemplate {
  readonly #parts: readonly { readonly text: string; readonly name: string | undefined }[];

  /** @throws Error when it names a place that is not among `names` */
  constructor(template: string, names: ReadonlySet<string>) {
    this.#parts = [...template.matchAll(/\{\{|\{([^}]*)\}|[^{]+/g)].map(([whole, name]) => {
      if (whole === '{{') return { text: '{', name: undefined };
      if (name === undefined) return { text: latin1(Buffer.from(whole)), name };
      if (!names.has(name))
        throw new Error(
          `{${name}} is not known; there is ${[...names].map((known) => `{${known}}`).join(', ') || 'nothing to fill in'}`,
        );
      return { text: '', name };
    });
  }

  fill(values: Readonly<Record<string, string>>): Buffer {
    let text = '';
    for (const part of this.#parts) text += part.name === undefined ? part.text : values[part.name];
    return Buffer.from(text, 'latin1');
  }
}

/** Bytes as text of as many characters. */
export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

const noCaptures: Readonly<Record<string, string>> = {};

const translate = (pattern: string, captures: Set<string>): string => {
  let expression = '';
  // As the UTF-8 bytes of the pattern, so that it matches keys byte by byte.
  const text = latin1(Buffer.from(pattern));
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '*') expression += '.*';
    else if (character === '?') expression += '.';
    else if (character === '\\' && at + 1 < text.length) expression += escaped(text[++at]);
    else if (character === '{' || character === '[') {
      const end = text.indexOf(character === '{' ? '}' : ']', at + 2);
      if (end < 0)
        throw new Error(`${JSON.stringify(pattern)} has an opening ${character} that is not closed`);
      const inner = text.slice(at + 1, end);
      expression += character === '{' ? capture(inner, captures) : characterClass(inner);
      at = end;
    } else expression += escaped(character);
  }
  return expression;
};

const capture = (name: string, captures: Set<string>): string => {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new Error(`{${name}} is no name of a capture`);
  if (captures.has(name)) return `\\k<${name}>`;
  captures.add(name);
  return `(?<${name}>.+?)`;
};

const characterClass = (inner: string): string =>
  `[${inner.startsWith('^') ? '^' : ''}${inner.replace(/^\^/, '').replace(/[\\\]^]/g, '\\$&')}]`;

const escaped = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
