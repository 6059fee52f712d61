import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { crc32c } from '../bytes/index.js';
import { TailraceError } from '../errors/index.js';
import { inaccessible, nodeFiles, replaceFile } from '../files/index.js';
import type { Position } from '../kit/index.js';
import type { OffsetsStore, StoredOffset } from './offsets-store.js';

/**
 * Positions in one JSON file, replaced whole so that after any crash it holds the old or the new content:
 * temporary file, fsync, rename, fsync of the directory.
 *
 *   {"crc":"<crc32c of the offsets' JSON, hex>","offsets":[StoredOffset, …]}
 */
export class FileOffsetsStore implements OffsetsStore {
  readonly #path: string;
  #offsets: Map<string, StoredOffset> | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = resolve(path);
  }

  async load(pipeline: string, sink: string): Promise<Position | null> {
    const offsets = await this.#read();
    return offsets.get(keyOf(pipeline, sink))?.position ?? null;
  }

  save(pipeline: string, sink: string, position: Position): Promise<void> {
    return this.#change((offsets) => {
      offsets.set(keyOf(pipeline, sink), { pipeline, sink, position, storedAtMs: Date.now() });
      return true;
    }).then(() => undefined);
  }

  async list(): Promise<readonly StoredOffset[]> {
    return [...(await this.#read()).values()];
  }

  reset(pipeline: string, sink?: string): Promise<boolean> {
    return this.#change((offsets) => {
      let isChanged = false;
      for (const [key, offset] of [...offsets])
        if (offset.pipeline === pipeline && (sink === undefined || offset.sink === sink))
          isChanged = offsets.delete(key) || isChanged;
      return isChanged;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.catch(() => undefined); // whoever saved has been told of the failure
  }

  /** Changes run one after the other; each that changes something is on disk when it resolves. */
  #change(apply: (offsets: Map<string, StoredOffset>) => boolean): Promise<boolean> {
    const run = async (): Promise<boolean> => {
      const offsets = await this.#read();
      const isChanged = apply(offsets);
      if (isChanged) await this.#write(offsets);
      return isChanged;
    };
    const result = this.#queue.then(run, run);
    this.#queue = result;
    return result;
  }

  async #read(): Promise<Map<string, StoredOffset>> {
    if (this.#offsets !== undefined) return this.#offsets;
    await rm(`${this.#path}.tmp`, { force: true });
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
        this.#offsets = new Map();
        return this.#offsets;
      }
      throw inaccessible(this.#path, cause);
    }
    this.#offsets = new Map(
      parseOffsets(text, this.#path).map((offset) => [keyOf(offset.pipeline, offset.sink), offset]),
    );
    return this.#offsets;
  }

  async #write(offsets: Map<string, StoredOffset>): Promise<void> {
    const list = [...offsets.values()];
    const content = Buffer.from(`${JSON.stringify({ crc: checksum(list), offsets: list }, null, 1)}\n`);
    const directory = dirname(this.#path);
    try {
      await mkdir(directory, { recursive: true });
      await replaceFile(nodeFiles, directory, this.#path, content);
    } catch (cause) {
      throw inaccessible(this.#path, cause);
    }
  }
}

const keyOf = (pipeline: string, sink: string): string => `${pipeline}\0${sink}`;

const checksum = (offsets: readonly StoredOffset[]): string =>
  crc32c(Buffer.from(JSON.stringify(offsets))).toString(16);

const parseOffsets = (text: string, path: string): StoredOffset[] => {
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
