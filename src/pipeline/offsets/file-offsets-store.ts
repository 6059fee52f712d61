import { readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { crc32c } from '../../bytes/index.js';
import { codeOf, isTailraceError, TailraceError } from '../../errors/index.js';
import {
  describeHolder,
  inaccessible,
  makeDirectory,
  nodeFiles,
  ProcessLock,
  replaceFile,
  SerialQueue,
} from '../../files/index.js';
import type { Position } from '../../kit/index.js';
import { type Lease, owned } from './lease.js';
import type { OffsetsStore, StoredOffset } from './offsets-store.js';

/**
 * Positions in a directory with one JSON file for each pipeline, replaced whole so that after any crash it holds the
 * old or the new content: temporary file, fsync, rename, fsync of the directory. Beside it stands the lock of the
 * process that runs the pipeline.
 *
 *   NAME.json  {"crc":"<crc32c of the offsets' JSON, hex>","offsets":[StoredOffset, …]}
 *   NAME.lock
 */
export class FileOffsetsStore implements OffsetsStore {
  readonly #directory: string;
  readonly #changes = new SerialQueue();

  constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  async load(pipeline: string, sink: string): Promise<Position | null> {
    const offsets = await this.#read(pipeline);
    return offsets.find((offset) => offset.sink === sink)?.position ?? null;
  }

  save(pipeline: string, sink: string, position: Position): Promise<void> {
    return this.#change(pipeline, (offsets) => [
      ...offsets.filter((offset) => offset.sink !== sink),
      { pipeline, sink, position, storedAtMs: Date.now() },
    ]).then(() => undefined);
  }

  async list(pipeline?: string): Promise<readonly StoredOffset[]> {
    if (pipeline !== undefined) return await this.#read(pipeline);
    let names: string[];
    try {
      names = await readdir(this.#directory);
    } catch (cause) {
      if (isMissing(cause)) return [];
      throw inaccessible(this.#directory, cause);
    }
    const files = names.filter((name) => name.endsWith('.json')).sort();
    const all = await Promise.all(files.map((name) => this.#readFile(join(this.#directory, name))));
    return all.flat();
  }

  reset(pipeline: string, sink?: string): Promise<boolean> {
    return this.#change(pipeline, (offsets) =>
      offsets.filter((offset) => sink !== undefined && offset.sink !== sink),
    );
  }

  async own(pipeline: string): Promise<Lease> {
    makeDirectory(this.#directory);
    const lock = await ProcessLock.acquire(this.#path(pipeline, 'lock'), (holder) =>
      owned(pipeline, describeHolder(holder)),
    );
    return { lost: new AbortController().signal, release: async () => lock.release() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#changes.whenIdle();
  }

  #path(pipeline: string, ending: string): string {
    return join(this.#directory, `${encodeURIComponent(pipeline)}.${ending}`);
  }

  /** Changes run one after the other; each that changes something is on disk when it resolves, to true. */
  #change(
    pipeline: string,
    apply: (offsets: readonly StoredOffset[]) => readonly StoredOffset[],
  ): Promise<boolean> {
    return this.#changes.run(async () => {
      const before = await this.#read(pipeline);
      const after = apply(before);
      const isChanged = after.length !== before.length || after.some((offset, at) => offset !== before[at]);
      if (isChanged) await this.#write(pipeline, after);
      return isChanged;
    });
  }

  #read(pipeline: string): Promise<readonly StoredOffset[]> {
    return this.#readFile(this.#path(pipeline, 'json'));
  }

  async #readFile(path: string): Promise<readonly StoredOffset[]> {
    try {
      return parseOffsets(await readFile(path, 'utf8'), path);
    } catch (cause) {
      if (isMissing(cause)) return [];
      throw isTailraceError(cause) ? cause : inaccessible(path, cause);
    }
  }

  async #write(pipeline: string, offsets: readonly StoredOffset[]): Promise<void> {
    const path = this.#path(pipeline, 'json');
    makeDirectory(this.#directory);
    try {
      await rm(`${path}.tmp`, { force: true });
      const content = `${JSON.stringify({ crc: checksum(offsets), offsets }, null, 1)}\n`;
      await replaceFile(nodeFiles, this.#directory, path, Buffer.from(content));
    } catch (cause) {
      throw inaccessible(path, cause);
    }
  }
}

const isMissing = (cause: unknown): boolean => codeOf(cause) === 'ENOENT';

const checksum = (offsets: readonly StoredOffset[]): string =>
  crc32c(Buffer.from(JSON.stringify(offsets))).toString(16);

const parseOffsets = (text: string, path: string): readonly StoredOffset[] => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw corrupt(path, 'it is no JSON');
  }
  if (
    typeof parsed !== 'object' ||
    parsed === null ||
    !('offsets' in parsed) ||
    !Array.isArray(parsed.offsets)
  )
    throw corrupt(path, 'it holds no offsets');
  const offsets = parsed.offsets as StoredOffset[];
  if (!('crc' in parsed) || parsed.crc !== checksum(offsets))
    throw corrupt(path, 'its checksum does not match');
  return offsets;
};

const corrupt = (path: string, reason: string): TailraceError =>
  new TailraceError('OFFSETS_CORRUPT', `the offsets file ${path} is damaged: ${reason}`, {
    context: { file: path, reason },
    remedy: 'Restore it from a backup, or remove it to start from where the pipeline file says.',
  });
