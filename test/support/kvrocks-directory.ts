import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { columnFamilyNames, LogFramer } from '../../src/engine/index.js';

/**
 * A directory as a Kvrocks leaves it, made by RocksDB's own tool: its column families in Kvrocks' order, and batches in log
 * files, which RocksDB takes into tables when it is told to.
 */
export class KvrocksDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    this.#ldb('load', '--create_if_missing');
    for (const name of columnFamilyNames.slice(1)) this.#ldb('create_column_family', name);
    for (const file of readdirSync(path)) if (file.endsWith('.log')) rmSync(join(path, file));
  }

  /** Appends a log file that holds the batches. */
  writeLog(batches: readonly Uint8Array[]): string {
    const framer = new LogFramer();
    for (const batch of batches) framer.append(batch);
    return this.addLog(framer.bytes);
  }

  addLog(bytes: Uint8Array): string {
    const numbers = readdirSync(this.path).map((name) => Number(/(\d{6})/.exec(name)?.[1] ?? 0));
    const path = join(this.path, `${String(Math.max(...numbers) + 20).padStart(6, '0')}.log`);
    writeFileSync(path, bytes);
    return path;
  }

  /** Opens it as its owner does, which writes what is in the log to tables, and merges those of the column families. */
  compact(names: readonly string[], ...options: readonly string[]): void {
    for (const name of names) this.#ldb('compact', `--column_family=${name}`, ...options);
  }

  /** Opens it as its owner does: what is in the log becomes tables of level 0. */
  recover(...options: readonly string[]): void {
    this.#ldb('load', ...options);
  }

  /** How tables are written from now on, in words of the file of options that RocksDB keeps beside them. */
  setOptions(options: Readonly<Record<string, string>>): void {
    const newest =
      readdirSync(this.path)
        .filter((name) => name.startsWith('OPTIONS-'))
        .sort()
        .at(-1) ?? '';
    const path = join(this.path, newest);
    let text = readFileSync(path, 'utf8');
    for (const [name, value] of Object.entries(options)) {
      const changed = text.replace(new RegExp(`^  ${name}=.*$`, 'gm'), `  ${name}=${value}`);
      if (changed === text) throw new Error(`no option ${name}, or it has this value`);
      text = changed;
    }
    writeFileSync(path, text);
  }

  deleteRange(columnFamily: string, begin: Uint8Array, end: Uint8Array): void {
    const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
    this.#ldb('deleterange', '--hex', `--column_family=${columnFamily}`, hex(begin), hex(end));
  }

  #ldb(...words: readonly string[]): void {
    execFileSync('ldb', [`--db=${this.path}`, ...words], { stdio: 'pipe' });
  }
}
