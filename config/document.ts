import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parse,
  parseDocument,
  type Scalar,
  type YAMLParseError,
} from 'yaml';
import { messageOf } from '../src/errors/index.js';
import type { Problem } from './problem.js';
import { readAtMost } from './read-at-most.js';

/** A value of a configuration file that remembers where it stands. */
export type Located =
  | {
      readonly kind: 'map';
      readonly entries: ReadonlyMap<string, { readonly key: Place; readonly value: Located }>;
      readonly place: Place;
    }
  | { readonly kind: 'list'; readonly items: readonly Located[]; readonly place: Place }
  | {
      readonly kind: 'scalar';
      readonly value: string | number | boolean | null;
      readonly place: Place;
      /** What was filled in, where `value` is the number or the truth value that it reads as. */
      readonly text?: string;
      /** A problem was reported for it: whatever else is wrong with the value would only repeat that. */
      readonly isFaulty?: boolean;
    };

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where `${…}` gets its values from. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readSecret: (path: string) => string;
}

/** The environment of this process, and secrets from its files. */
export const processSurroundings: Surroundings = {
  env: process.env,
  // A trailing line break is the editor's, not the secret's.
  readSecret: (path) => readAtMost(path, maxSecretBytes).replace(/\r?\n$/, ''),
};

/**
 * Parses YAML (or JSON) and fills in `${NAME}`, `${NAME:-default}` and `${file:/path}`; `$${` stands for `${`.
 * Undefined when the text is no document; every problem is appended to `problems`.
 */
export const parseDocumentText = (
  text: string,
  file: string,
  surroundings: Surroundings,
  problems: Problem[],
): Located | undefined => {
  if (text.length > maxDocumentBytes) {
    problems.push({
      file,
      line: 1,
      column: 1,
      path: '',
      message: `the file is larger than ${maxDocumentBytes} bytes`,
    });
    return undefined;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    maxAliasCount: 0,
    logLevel: 'error',
  } as never);
  // Behind the first fault of the syntax the reader has lost its way: what else it finds there is an echo of that.
  const told = document.errors.findIndex(({ code }) => !isOfMeaning.has(code)) + 1;
  for (const error of document.errors.slice(0, told || undefined)) {
    const { line, col: column } = lines.linePos(error.pos[0]);
    problems.push({ file, line, column, path: '', message: syntaxMessage(error, text) });
  }
  if (document.errors.length > 0) return undefined;
  return new NodeReader(lines, file, surroundings, problems).read(document.contents as Node | null, '', 0);
};

const isOfMeaning: ReadonlySet<string> = new Set(['DUPLICATE_KEY', 'MULTIPLE_DOCS']);

const syntaxMessage = ({ code, message, pos }: YAMLParseError, text: string): string => {
  if (code === 'DUPLICATE_KEY') return `the key ${wordAt(text, pos[0])} stands here a second time`;
  if (code === 'MULTIPLE_DOCS')
    return 'a second document begins here: a file holds one, with several pipelines in a list under "pipelines"';
  if (text.slice(pos[0] - 1, pos[0] + 1) === '${')
    return 'within { } and [ ] write quotes around what is filled in: "${NAME}"';
  if (/call stack/.test(message)) return 'lists or maps stand too deep in each other here';
  return message.split('\n', 1)[0] ?? 'is no YAML';
};

/** Makes located values of the nodes of a document. */
class NodeReader {
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #surroundings: Surroundings;
  readonly #problems: Problem[];

  constructor(lines: LineCounter, file: string, surroundings: Surroundings, problems: Problem[]) {
    this.#lines = lines;
    this.#file = file;
    this.#surroundings = surroundings;
    this.#problems = problems;
  }

  read(node: Node | null, path: string, depth: number): Located {
    const place = this.#placeOf(node);
    const faulty = (message: string): Located => {
      this.#report(message, path, place);
      return { kind: 'scalar', value: null, place, isFaulty: true };
    };
    if (depth > maxDepth) return faulty('is nested too deeply');
    if (isMap(node)) {
      const entries = new Map<string, { key: Place; value: Located }>();
      for (const pair of node.items) {
        const keyNode = pair.key as Node | null;
        const name = isScalar(keyNode) ? String(keyNode.value) : '?';
        const value = this.read(pair.value as Node | null, path === '' ? name : `${path}.${name}`, depth + 1);
        entries.set(name, { key: this.#placeOf(keyNode), value });
      }
      return { kind: 'map', entries, place };
    }
    if (isSeq(node)) {
      const items = node.items.map((item, at) => this.read(item as Node | null, `${path}[${at}]`, depth + 1));
      return { kind: 'list', items, place };
    }
    if (node !== null && !isScalar(node)) return faulty('aliases and anchors are not supported');
    return this.#readScalar(node, path, place);
  }

  #readScalar(node: Scalar | null, path: string, place: Place): Located {
    const value: unknown = node?.value ?? null;
    if (typeof value === 'string') {
      let isFaulty = false;
      const text = interpolate(value, this.#surroundings, (message) => {
        isFaulty = true;
        this.#report(message, path, place);
      });
      // An unquoted ${PORT} may stand for a number, as if the number had been written there.
      const isBare = node?.type === 'PLAIN' && /^\$\{[^}]*\}$/.test(value);
      return { kind: 'scalar', value: isBare ? typed(text) : text, text, place, isFaulty };
    }
    const isKnown = typeof value === 'number' || typeof value === 'boolean' || value === null;
    return { kind: 'scalar', value: isKnown ? value : String(value), place };
  }

  #report(message: string, path: string, place: Place): void {
    this.#problems.push({ file: this.#file, ...place, path, message });
  }

  #placeOf(node: Node | null): Place {
    const { line, col: column } = this.#lines.linePos(node?.range?.[0] ?? 0);
    return { line, column };
  }
}

const wordAt = (text: string, offset: number): string =>
  JSON.stringify(/^["']?([^\s:"']*)/.exec(text.slice(offset, offset + 80))?.[1] ?? '');

const interpolate = (
  text: string,
  { env, readSecret }: Surroundings,
  report: (message: string) => void,
): string =>
  text.replace(/\$?\$\{([^}]*)\}/g, (whole, inner: string) => {
    if (whole.startsWith('$$')) return whole.slice(1);
    if (inner.startsWith('file:')) {
      try {
        return readSecret(inner.slice('file:'.length));
      } catch (error) {
        report(`cannot read ${inner.slice('file:'.length)}: ${messageOf(error)}`);
        return '';
      }
    }
    const [name, fallback] = inner.split(/:-(.*)/s) as [string, string | undefined];
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      report(`\${${name}} is no name of an environment variable`);
      return '';
    }
    const value = env[name];
    if (value !== undefined && (value !== '' || fallback === undefined)) return value;
    if (fallback === undefined)
      report(`the environment variable ${name} is not set (set it, or write \${${name}:-default})`);
    return fallback ?? '';
  });

/** The number or truth value that a text reads as. */
const typed = (text: string): string | number | boolean => {
  const value: unknown = /^[\w.+-]+$/.test(text) ? parse(text) : text;
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
};

export const maxDocumentBytes = 4 * 1024 * 1024;
const maxSecretBytes = 1024 * 1024;
const maxDepth = 32;

/** What stands under a key of a map. */
export const childOf = (located: Located | undefined, key: string): Located | undefined =>
  located?.kind === 'map' ? located.entries.get(key)?.value : undefined;
