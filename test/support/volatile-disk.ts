import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Files, nodeFiles } from '../../src/files/index.js';
import type { SeededRandom } from './seeded-random.js';

/** What one file holds whatever happens, and what was done to it since, of which a power cut leaves a part. */
interface Content {
  durable: Buffer;
  pending: Change[];
}

type Change = { readonly position: number; readonly bytes: Buffer } | { readonly length: number };

/** Names that were given or taken away in one step. */
interface Naming {
  readonly directory: string;
  readonly names: readonly (readonly [path: string, content: Content | undefined])[];
}

/**
 * Files of a directory on a disk that keeps for good only what it was told to: what a file holds once it is synced, and
 * its name once its directory is. `cut` shows what a power cut leaves of the rest: the first of the names that were given
 * or taken away, and of each file what was written over in part and what was written behind its end up to somewhere, as by
 * file systems that write data before the size that covers it. What is in the directory already is durable.
 */
export class VolatileDisk {
  /** Called before each operation. */
  onOperation: () => void = () => undefined;
  readonly #random: SeededRandom;
  readonly #names = new Map<string, Content>();
  readonly #durableNames = new Map<string, Content>();
  #namings: Naming[] = [];
  readonly #open = new Map<number, Content>();

  constructor(directory: string, random: SeededRandom) {
    this.#random = random;
    mkdirSync(directory, { recursive: true });
    for (const name of readdirSync(directory)) {
      const content = { durable: readFileSync(join(directory, name)), pending: [] };
      this.#names.set(join(directory, name), content);
      this.#durableNames.set(join(directory, name), content);
    }
  }

  /** What there is after a power cut now, in a directory that is made. */
  cut(target: string): void {
    mkdirSync(target);
    const names = new Map(this.#durableNames);
    for (const naming of this.#namings.slice(0, this.#random.below(this.#namings.length + 1)))
      apply(names, naming);
    const share = this.#random.pick([0, 0.5, 1]);
    for (const [path, content] of names)
      writeFileSync(join(target, basename(path)), this.#left(content, share));
  }

  /** The disk when the process alone has ended: what that had done is there for the next one, and no safer than before. */
  afterKill(target: string): VolatileDisk {
    const disk = new VolatileDisk(target, this.#random);
    const copies = new Map<Content, Content>();
    const copyOf = (content: Content): Content => {
      const copy = copies.get(content) ?? {
        durable: Buffer.from(content.durable),
        pending: [...content.pending],
      };
      copies.set(content, copy);
      return copy;
    };
    for (const [path, content] of this.#durableNames)
      disk.#durableNames.set(join(target, basename(path)), copyOf(content));
    disk.#namings = this.#namings.map(({ names }) => ({
      directory: target,
      names: names.map(([path, content]) => [join(target, basename(path)), content && copyOf(content)]),
    }));
    for (const [path, content] of this.#names) {
      const file = join(target, basename(path));
      disk.#names.set(file, copyOf(content));
      writeFileSync(file, content.pending.reduce(changed, Buffer.from(content.durable)));
    }
    return disk;
  }

  readonly files: Files = {
    open: async (path, flags) => {
      this.onOperation();
      const fd = await nodeFiles.open(path, flags);
      let content = this.#names.get(path);
      if (content === undefined) {
        content = { durable: Buffer.alloc(0), pending: [] };
        this.#name(dirname(path), [[path, content]]);
      } else if (flags.startsWith('w')) content.pending.push({ length: 0 });
      this.#open.set(fd, content);
      return fd;
    },
    write: (fd, bytes, position) => {
      this.#change(fd, { position, bytes: Buffer.from(bytes) });
      return nodeFiles.write(fd, bytes, position);
    },
    writeFew: (fd, bytes, position) => {
      this.#change(fd, { position, bytes: Buffer.from(bytes) });
      return nodeFiles.writeFew(fd, bytes, position);
    },
    truncate: (fd, length) => {
      this.#change(fd, { length });
      return nodeFiles.truncate(fd, length);
    },
    datasync: async (fd) => {
      this.onOperation();
      const content = this.#contentOf(fd);
      const synced = new Set(content.pending);
      // Some take longer than others that were begun later.
      for (let turns = this.#random.below(6); turns >= 0; turns--)
        await new Promise((resolve) => setImmediate(resolve));
      this.onOperation();
      for (const change of content.pending)
        if (synced.has(change)) content.durable = changed(content.durable, change);
      content.pending = content.pending.filter((change) => !synced.has(change));
    },
    close: (fd) => {
      this.#open.delete(fd);
      return nodeFiles.close(fd);
    },
    rename: async (from, to) => {
      this.onOperation();
      await nodeFiles.rename(from, to);
      this.#name(dirname(to), [
        [to, this.#names.get(from)],
        [from, undefined],
      ]);
    },
    remove: async (path) => {
      this.onOperation();
      await nodeFiles.remove(path);
      this.#name(dirname(path), [[path, undefined]]);
    },
    syncDirectory: async (path) => {
      this.onOperation();
      const synced = new Set(this.#namings.filter(({ directory }) => directory === path));
      await new Promise((resolve) => setImmediate(resolve));
      this.onOperation();
      for (const naming of this.#namings) if (synced.has(naming)) apply(this.#durableNames, naming);
      this.#namings = this.#namings.filter((naming) => !synced.has(naming));
    },
  };

  #contentOf(fd: number): Content {
    const content = this.#open.get(fd);
    if (content === undefined) throw new Error(`${fd} is not open`);
    return content;
  }

  #change(fd: number, change: Change): void {
    this.onOperation();
    this.#contentOf(fd).pending.push(change);
  }

  #name(directory: string, names: Naming['names']): void {
    const naming = { directory, names };
    apply(this.#names, naming);
    this.#namings.push(naming);
  }

  /** What is left of a file: `share` is how much of what was written over had reached the disk. */
  #left({ durable, pending }: Content, share: number): Buffer {
    let left: Buffer = Buffer.from(durable);
    let lengthenings = share === 0.5 ? this.#random.below(pending.length + 1) : share * pending.length;
    for (const change of pending) {
      const isLonger = 'bytes' in change && change.position + change.bytes.length > left.length;
      if (!isLonger) {
        if (this.#random.next() < share) left = changed(left, share === 1 ? change : this.#torn(change));
      } else if (lengthenings > 0) left = changed(left, change);
      else if (lengthenings === 0 && share === 0.5) left = changed(left, this.#torn(change));
      if (isLonger) lengthenings--;
    }
    return left;
  }

  /** The beginning of a write: a page at a time is what disks promise at most. */
  #torn(change: Change): Change {
    if (!('bytes' in change)) return change;
    const { position, bytes } = change;
    return {
      position,
      bytes: bytes.subarray(0, Math.min(bytes.length, sectorBytes * this.#random.below(20))),
    };
  }
}

const apply = (names: Map<string, Content>, naming: Naming): void => {
  for (const [path, content] of naming.names)
    if (content === undefined) names.delete(path);
    else names.set(path, content);
};

const changed = (content: Buffer, change: Change): Buffer => {
  const length =
    'bytes' in change ? Math.max(content.length, change.position + change.bytes.length) : change.length;
  const after = length === content.length ? content : Buffer.alloc(length);
  if (after !== content) content.copy(after);
  if ('bytes' in change) change.bytes.copy(after, change.position);
  return after;
};

const sectorBytes = 512;
