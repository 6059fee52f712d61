import { constants, existsSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { Logger } from '../kit/index.js';

/** A part as it is kept. */
export interface KeptPart {
  /** What the walk had come to before it; undefined = nothing. */
  readonly after: Uint8Array | undefined;
  /** The oldest moment of which something in it is: the log must not have come further when it is used. */
  readonly low: number;
  /** The newest. */
  readonly high: number;
  /** The run of the source that it was read of; undefined when all of it was durable there already. */
  readonly run: string | undefined;
  /** What `structuredClone` can copy. */
  readonly facts: unknown;
  readonly records: Uint8Array;
}

/**
 * The parts of a walk that were read and are perhaps not yet in the target, so that a process that is started again does not
 * ask the source for them once more: in a few files beside the state file, each of them taken in turn.
 *
 *   0        4           8             12
 *   | crc32  | head size | records size | head (v8) | records … | left over …
 *     u32 LE   u32 LE      u32 LE
 *
 * The sum is of all behind it, up to what an earlier and longer part has left: a file that was being written tells so. It is
 * written over, not anew: new blocks of it would have to reach the disk with each sync of the state file. Nothing waits for
 * the disk: what a failure of power takes is read again.
 */
export class PartFiles {
  readonly #path: string;
  readonly #owner: string;
  readonly #logger: Logger;
  #left = new Map<string, KeptPart>();
  /** Counts the parts, so that those of an earlier process are not replaced before they are in the target. */
  #next = 0;
  #isFailed = false;

  /**
   * @param path what the files' names begin with
   * @param owner what the parts are of; those that were kept for another are passed over
   */
  constructor(path: string, owner: string, logger: Logger) {
    this.#path = path;
    this.#owner = owner;
    this.#logger = logger;
  }

  /** Reads what an earlier process has left. */
  load(): void {
    for (let slot = 0; slot < slots; slot++) {
      const part = this.#readable(slot);
      if (part === undefined) continue;
      this.#next = Math.max(this.#next, part.number + 1);
      const name = nameOf(part.after);
      if (part.low >= (this.#left.get(name)?.low ?? 0)) this.#left.set(name, part);
    }
  }

  /** Removes them all. */
  clear(): void {
    this.#left.clear();
    for (let slot = 0; slot < slots; slot++) rmSync(this.#fileOf(slot), { force: true });
  }

  /** The part that an earlier process has read behind `after`, with the log at `logSequence`; given once. */
  take(after: Uint8Array | undefined, logSequence: number): KeptPart | undefined {
    const name = nameOf(after);
    const part = this.#left.get(name);
    this.#left.delete(name);
    return part !== undefined && part.low >= logSequence ? part : undefined;
  }

  /** Resolves when whoever is started behind this process can find the part. */
  async keep({ records, ...head }: KeptPart): Promise<void> {
    if (this.#isFailed) return;
    const number = this.#next++;
    const path = this.#fileOf(number % slots);
    const parts = [sized(serialize({ version, owner: this.#owner, number, ...head }), records), records];
    // Of no bytes at all the function answers 0, whatever came before them.
    const crc = parts.reduce((sum, bytes) => (bytes.length === 0 ? sum : crc32(bytes, sum)), 0);
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc);
    try {
      // Values stand in it, which are nobody else's to read.
      const file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
      try {
        await file.writev([sum, ...parts]);
      } finally {
        await file.close();
      }
    } catch (error) {
      // The migration needs them for nothing but to be gone on with cheaply.
      this.#isFailed = true;
      this.#logger.warn('parts that were read cannot be kept, an interruption reads some again', {
        file: path,
        reason: `${error}`,
      });
    }
  }

  /** A file that is damaged, or of another version of Node.js, is passed over: its part is read again. */
  #readable(slot: number): NumberedPart | undefined {
    try {
      return this.#read(slot);
    } catch (error) {
      this.#logger.warn('a part that was kept cannot be read, and is read of the source again', {
        file: this.#fileOf(slot),
        reason: `${error}`,
      });
      return undefined;
    }
  }

  #read(slot: number): NumberedPart | undefined {
    const path = this.#fileOf(slot);
    if (!existsSync(path)) return undefined;
    const bytes = readFileSync(path);
    if (bytes.length < 12) return undefined;
    const headEnd = 12 + bytes.readUInt32LE(4);
    const end = headEnd + bytes.readUInt32LE(8);
    if (end > bytes.length || crc32(bytes.subarray(4, end)) !== bytes.readUInt32LE(0)) return undefined;
    const head = deserialize(bytes.subarray(12, headEnd)) as KeptHead;
    if (head.version !== version || head.owner !== this.#owner) return undefined;
    return { ...head, records: bytes.subarray(headEnd, end) };
  }

  #fileOf(slot: number): string {
    return `${this.#path}.read-${slot}`;
  }
}

type NumberedPart = KeptPart & { readonly number: number };

interface KeptHead extends Omit<KeptPart, 'records'> {
  readonly version: number;
  readonly owner: string;
  readonly number: number;
}

const sized = (head: Buffer, records: Uint8Array): Buffer => {
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(head.length, 0);
  sizes.writeUInt32LE(records.length, 4);
  return Buffer.concat([sizes, head]);
};

const nameOf = (after: Uint8Array | undefined): string =>
  after === undefined ? '' : Buffer.from(after).toString('latin1');

const version = 3;
/**
 * One part is written to the target, one waits for it, one for that, one is read; and one more, so that none is replaced too
 * early.
 */
const slots = 5;
