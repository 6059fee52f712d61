import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { TailraceError } from '../errors/index.js';
import { inaccessible } from '../files/index.js';

/** Why a change of the namespaces is refused, in Kvrocks' words; undefined when it was made. */
export type NamespaceRefusal = string | undefined;

/**
 * Namespaces and the tokens that open them: whoever authenticates with a token works in its namespace alone. They are
 * kept in a file of their own that only its owner may read, not in the log: tokens are secrets, and the log goes to
 * whoever follows it.
 */
export class Namespaces {
  readonly #path: string | undefined;
  readonly #nameOfToken = new Map<string, string>();

  /** @param path the file; undefined = they last as long as the server. @throws `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
  constructor(path?: string) {
    this.#path = path;
    if (path === undefined || !existsSync(path)) return;
    for (const [token, name] of readTokens(path)) this.#nameOfToken.set(token, name);
  }

  get isEmpty(): boolean {
    return this.#nameOfToken.size === 0;
  }

  /** Names with their tokens. */
  entries(): [name: string, token: string][] {
    return [...this.#nameOfToken].map(([token, name]) => [name, token]);
  }

  nameOf(token: string): string | undefined {
    return this.#nameOfToken.get(token);
  }

  tokenOf(name: string): string | undefined {
    return this.entries().find(([known]) => known === name)?.[1];
  }

  add(name: string, token: string, password: string): NamespaceRefusal {
    const known = this.tokenOf(name);
    if (known !== undefined) return known === token ? undefined : 'the namespace already exists';
    if (this.#nameOfToken.has(token)) return 'the token already exists';
    return this.set(name, token, password);
  }

  set(name: string, token: string, password: string): NamespaceRefusal {
    if (Buffer.byteLength(name) > maxNameBytes) return `size exceed limit ${maxNameBytes}`;
    if (name === '') return 'namespace contain illegal letter';
    if (password === '') return 'forbidden to add namespace when requirepass was empty';
    if (isDefault(name)) return 'forbidden to add the default namespace';
    if (token === password) return 'the token is duplicated with requirepass or masterauth';
    const owner = this.#nameOfToken.get(token);
    if (owner !== undefined) return owner === name ? undefined : 'the token already exists';
    const old = this.tokenOf(name);
    const changed = new Map(this.#nameOfToken);
    if (old !== undefined) changed.delete(old);
    this.#replace(changed.set(token, name));
    return undefined;
  }

  delete(name: string): NamespaceRefusal {
    if (isDefault(name)) return 'forbidden to delete the default namespace';
    const token = this.tokenOf(name);
    if (token === undefined) return 'the namespace was not found';
    const changed = new Map(this.#nameOfToken);
    changed.delete(token);
    this.#replace(changed);
    return undefined;
  }

  #replace(changed: ReadonlyMap<string, string>): void {
    if (this.#path !== undefined) writeTokens(this.#path, changed);
    this.#nameOfToken.clear();
    for (const [token, name] of changed) this.#nameOfToken.set(token, name);
  }
}

const isDefault = (name: string): boolean => name === '__namespace' || name === 'default';

/** Token to namespace, in JSON under `tokens`, and their `checksum`; older versions wrote only the tokens. */
const readTokens = (path: string): [string, string][] => {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw cause instanceof SyntaxError ? corrupt(path, 'it is no JSON') : inaccessible(path, cause);
  }
  if (!isObject(content)) throw corrupt(path, 'it holds no namespaces');
  const tokens: unknown = Reflect.get(content, 'tokens');
  if (!isObject(tokens)) return entriesOf(path, content);
  if (Reflect.get(content, 'checksum') !== checksumOf(tokens)) throw corrupt(path, 'its checksum is wrong');
  return entriesOf(path, tokens);
};

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const entriesOf = (path: string, tokens: object): [string, string][] =>
  Object.entries(tokens).map(([token, name]: [string, unknown]) => {
    if (typeof name !== 'string') throw corrupt(path, 'it holds no namespaces');
    return [token, name];
  });

const checksumOf = (tokens: object): string => crc32(JSON.stringify(tokens)).toString(16);

const corrupt = (path: string, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path}: ${reason}`, {
    context: { file: path, reason },
    remedy: 'Restore the file from a backup, or remove it and add the namespaces again.',
  });

/** Old or new after a crash, and durable before the command is answered. */
const writeTokens = (path: string, tokens: ReadonlyMap<string, string>): void => {
  try {
    const byToken = Object.fromEntries(tokens);
    const content = JSON.stringify({ checksum: checksumOf(byToken), tokens: byToken }, null, 2);
    const fd = openSync(`${path}.tmp`, 'w', 0o600);
    try {
      writeFileSync(fd, `${content}\n`); // whole, or an error
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${path}.tmp`, path);
    syncDirectory(dirname(path));
  } catch (cause) {
    throw inaccessible(path, cause);
  }
};

/** Or a crash could bring back a token that was taken away: the name of the new file is the directory's matter. */
const syncDirectory = (directory: string): void => {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

const maxNameBytes = 255;
