/**
 * Patterns for keys. As in Redis' globs `*` stands for anything, `?` for one byte, `[abc]` for one of these, and `\`
 * takes the next character as it is. `{name}` stands for one byte or more and captures them; the rest of the pattern
 * decides where a capture ends, the first one as early as possible, and `*` takes as much as it can. A name that comes again
 * stands for what it captured.
 *
 * Keys are bytes: they are matched as Latin-1 text, in which each byte is one character. Takes at most pattern length times
 * key length steps, unless a name comes again.
 */
export class KeyPattern {
  readonly #elements: readonly Element[];
  /** Names of the captures. */
  readonly captures: ReadonlySet<string>;

  /** @throws Error that says what is wrong with the pattern */
  constructor(pattern: string) {
    const captures = new Set<string>();
    this.#elements = elementsOf(pattern, captures);
    this.captures = captures;
  }

  matches(key: Uint8Array): boolean {
    return this.capture(key) !== undefined;
  }

  /** What the captures hold, as Latin-1 text; undefined when the key does not match. */
  capture(key: Uint8Array): Readonly<Record<string, string>> | undefined {
    const walk = new PatternWalk(this.#elements, latin1(key));
    return walk.matchesFrom(0, 0) ? walk.captured : undefined;
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

type Element =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one'; readonly isMember: RegExp }
  | { readonly kind: 'any' }
  | { readonly kind: 'capture' | 'again'; readonly name: string };

/** One key on its way through the elements of a pattern. Hot: once for each change of a pipeline with such a pattern. */
class PatternWalk {
  readonly captured: Record<string, string> = Object.create(null);
  readonly #elements: readonly Element[];
  readonly #key: string;
  /**
   * By element, the earliest place from which a wildcard was tried in vain. What it may take from a later place it may take
   * from there, too: so no end of a wildcard is tried twice. That does not hold before a name that comes again.
   */
  readonly #failedFrom: number[] | undefined;

  constructor(elements: readonly Element[], key: string) {
    this.#elements = elements;
    this.#key = key;
    this.#failedFrom = elements.some(({ kind }) => kind === 'again') ? undefined : [];
  }

  /** Whether the elements from `index` on match all of the key from `place` on. */
  matchesFrom(index: number, place: number): boolean {
    const key = this.#key;
    let at = place;
    for (let next = index; next < this.#elements.length; next++) {
      const element = this.#elements[next];
      if (element.kind === 'any' || element.kind === 'capture') return this.#matchesWildcard(next, at);
      if (element.kind === 'one') {
        if (at === key.length || !element.isMember.test(key[at])) return false;
        at++;
        continue;
      }
      const text = element.kind === 'literal' ? element.text : this.captured[element.name];
      if (!key.startsWith(text, at)) return false;
      at += text.length;
    }
    return at === key.length;
  }

  #matchesWildcard(index: number, place: number): boolean {
    const element = this.#elements[index];
    const key = this.#key;
    const failedFrom = this.#failedFrom?.[index];
    if (element.kind === 'any') {
      for (let end = failedFrom === undefined ? key.length : failedFrom - 1; end >= place; end--)
        if (this.matchesFrom(index + 1, end)) return true;
    } else if (element.kind === 'capture') {
      const next = this.#elements.at(index + 1);
      const literal = next?.kind === 'literal' ? next.text : '';
      const last = failedFrom ?? key.length;
      for (let end = place + 1; end <= last; end++) {
        // Later tries look at few places each: no search that goes to the end of the key.
        if (failedFrom === undefined) end = next === undefined ? key.length : key.indexOf(literal, end);
        if (end < 0) break;
        this.captured[element.name] = key.slice(place, end);
        if (this.matchesFrom(index + 1, end)) return true;
      }
    }
    if (this.#failedFrom !== undefined) this.#failedFrom[index] = Math.min(place, failedFrom ?? place);
    return false;
  }
}

const elementsOf = (pattern: string, captures: Set<string>): Element[] => {
  const elements: Element[] = [];
  let literal = '';
  const push = (element: Element): void => {
    if (literal !== '') elements.push({ kind: 'literal', text: literal });
    literal = '';
    elements.push(element);
  };
  // As the UTF-8 bytes of the pattern, so that it matches keys byte by byte.
  const text = latin1(Buffer.from(pattern));
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '*') push({ kind: 'any' });
    else if (character === '?') push({ kind: 'one', isMember: /./s });
    else if (character === '\\' && at + 1 < text.length) literal += text[++at];
    else if (character === '{' || character === '[') {
      const end = text.indexOf(character === '{' ? '}' : ']', at + 2);
      if (end < 0)
        throw new Error(`${JSON.stringify(pattern)} has an opening ${character} that is not closed`);
      const inner = text.slice(at + 1, end);
      push(character === '{' ? capture(inner, captures) : { kind: 'one', isMember: characterClass(inner) });
      at = end;
    } else literal += character;
  }
  if (literal !== '') elements.push({ kind: 'literal', text: literal });
  return elements;
};

const capture = (name: string, captures: Set<string>): Element => {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new Error(`{${name}} is no name of a capture`);
  if (captures.has(name)) return { kind: 'again', name };
  captures.add(name);
  return { kind: 'capture', name };
};

const characterClass = (inner: string): RegExp =>
  new RegExp(`[${inner.startsWith('^') ? '^' : ''}${inner.replace(/^\^/, '').replace(/[\\\]^]/g, '\\$&')}]`);
