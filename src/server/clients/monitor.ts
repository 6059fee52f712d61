import type { Connection } from '../connection.js';

/** Shows every command to those who asked by MONITOR. Commands that carry secrets are left out. */
export class Monitor {
  readonly #watchers = new Set<Connection>();

  get isActive(): boolean {
    return this.#watchers.size > 0;
  }

  get size(): number {
    return this.#watchers.size;
  }

  has(connection: Connection): boolean {
    return this.#watchers.has(connection);
  }

  add(connection: Connection): void {
    this.#watchers.add(connection);
  }

  remove(connection: Connection): void {
    this.#watchers.delete(connection);
  }

  show(by: Connection, name: string, args: readonly Buffer[]): void {
    if (secretCommands.has(name)) return;
    const now = Date.now();
    const time = `${Math.floor(now / 1000)}.${String(now % 1000).padStart(3, '0')}000`;
    const line = `${time} [${by.namespace} ${by.address}] ${shown(args)}`;
    for (const watcher of this.#watchers) {
      watcher.reply.simple(line);
      watcher.pushMessage();
    }
  }
}

/** The arguments, up to a number of bytes: what is left out is counted, as in the slow log. */
const shown = (args: readonly Buffer[]): string => {
  const words: string[] = [];
  let left = maxShownBytes;
  for (const [index, arg] of args.entries()) {
    if (left <= 0) {
      words.push(`... (${args.length - index} more arguments)`);
      break;
    }
    words.push(quoted(arg.subarray(0, left)));
    if (arg.length > left) words.push(`... (${arg.length - left} more bytes)`);
    left -= arg.length + separatorBytes;
  }
  return words.join(' ');
};

/** Bytes become up to four characters each, for every command and as long as somebody watches. */
const maxShownBytes = 1024 * 1024;
/** What an argument costs beside its bytes. */
const separatorBytes = 3;

/** As a C string, so that a line stays a line. */
const quoted = (arg: Buffer): string => {
  const text = arg.toString('latin1').replace(/["\\]|[^\x20-\x7e]/g, (char) => {
    const known = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }[char];
    return known ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${text}"`;
};

const secretCommands = new Set(['auth', 'hello', 'namespace', 'config', 'monitor']);
