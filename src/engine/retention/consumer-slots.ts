import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { TailraceError } from '../../errors/index.js';
import { type Files, inaccessible, replaceFile, SerialQueue } from '../../files/index.js';
import { otherFormat } from '../other-format.js';

/** A consumer of the log by name, and how far it has got. */
export interface ConsumerSlot {
  readonly name: string;
  /** Last sequence number that the consumer has handled for good; the log is kept from that batch on. 0 = nothing yet. */
  readonly acknowledged: number;
  readonly createdMs: number;
  /** Last time that the consumer acknowledged or asked for the slot, in ms since 1970. */
  readonly seenMs: number;
}

/**
 * The consumers for whom a store keeps its log, in the file `SLOTS` of its directory: JSON of a `version`, the `slots`,
 * and as `checksum` the CRC-32 (hex) of the JSON of those two without spaces, which version 1 had not.
 *
 * Making and dropping a slot is durable when the promise resolves. Acknowledging is not: it is stored with the next
 * `save`, which comes before anything is removed from the log, so that a slot on disk never names what is gone.
 */
export class ConsumerSlots {
  readonly #directory: string;
  readonly #files: Files;
  readonly #slots = new Map<string, ConsumerSlot>();
  /** When each was last heard of in this process, or read, by a clock that nobody sets. */
  readonly #heardMs = new Map<string, number>();
  readonly #nowMs: () => number;
  #isChanged = false;
  readonly #saves = new SerialQueue();

  /** @throws TailraceError `STORE_CORRUPT` | `FILE_INACCESSIBLE` */
  constructor(directory: string, files: Files, nowMs: () => number = Date.now) {
    this.#directory = directory;
    this.#files = files;
    this.#nowMs = nowMs;
    for (const slot of readSlots(directory)) this.#put(slot);
  }

  /** All slots, by name. */
  list(): ConsumerSlot[] {
    return [...this.#slots.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): ConsumerSlot | undefined {
    return this.#slots.get(name);
  }

  /**
   * Makes sure that there is a slot, and returns it: an existing one as it is, a new one at `sequence`.
   * @throws TailraceError `SLOT_INVALID` for a name that is empty, longer than 200 characters or not printable
   */
  async register(name: string, sequence: number): Promise<ConsumerSlot> {
    const slot = this.#register(name, sequence);
    await this.save();
    return slot;
  }

  /**
   * The consumer has handled everything up to `sequence`. Never goes back.
   * @throws TailraceError `SLOT_NOT_FOUND`
   */
  acknowledge(name: string, sequence: number): ConsumerSlot {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw unknownSlot(name);
    const acknowledged = Math.max(slot.acknowledged, sequence);
    return this.#set({ ...slot, acknowledged, seenMs: this.#nowMs() });
  }

  /** For how long this process has not heard of a slot, in ms; since its start, of one that it has only read. */
  unheardMs(name: string): number {
    return performance.now() - (this.#heardMs.get(name) ?? 0);
  }

  /** False when there was none. */
  async drop(name: string): Promise<boolean> {
    const wasThere = this.#slots.delete(name);
    this.#heardMs.delete(name);
    this.#isChanged ||= wasThere;
    await this.save();
    return wasThere;
  }

  /** Stores what has changed. Writes follow each other. */
  save(): Promise<void> {
    return this.#saves.run(() => this.#store());
  }

  #register(name: string, sequence: number): ConsumerSlot {
    const existing = this.#slots.get(name);
    const nowMs = this.#nowMs();
    if (existing !== undefined) return this.#set({ ...existing, seenMs: nowMs });
    if (!/^[\x21-\x7e]{1,200}$/.test(name))
      throw new TailraceError('SLOT_INVALID', `${JSON.stringify(name)} is no name for a slot`, {
        context: { name },
        remedy: 'Use 1 to 200 printable ASCII characters without spaces.',
      });
    return this.#set({ name, acknowledged: sequence, createdMs: nowMs, seenMs: nowMs });
  }

  #set(slot: ConsumerSlot): ConsumerSlot {
    this.#put(slot);
    this.#isChanged = true;
    return slot;
  }

  #put(slot: ConsumerSlot): void {
    this.#slots.set(slot.name, slot);
    this.#heardMs.set(slot.name, performance.now());
  }

  async #store(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const slots = this.list();
    const checksum = checksumOf(slotsVersion, slots);
    const content = `${JSON.stringify({ version: slotsVersion, checksum, slots }, undefined, 1)}\n`;
    try {
      await replaceFile(this.#files, this.#directory, slotsPath(this.#directory), Buffer.from(content));
    } catch (cause) {
      this.#isChanged = true;
      throw inaccessible(slotsPath(this.#directory), cause);
    }
  }
}

/**
 * The slots of a store's directory, open or not.
 * @throws TailraceError `STORE_CORRUPT` | `STORE_FORMAT_UNKNOWN` | `FILE_INACCESSIBLE`
 */
export const readSlots = (directory: string): ConsumerSlot[] => {
  const path = slotsPath(directory);
  if (!existsSync(path)) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw cause instanceof SyntaxError ? corrupt(path, 'it is no JSON') : inaccessible(path, cause);
  }
  if (typeof parsed !== 'object' || parsed === null || !('slots' in parsed) || !Array.isArray(parsed.slots))
    throw corrupt(path, 'it is no list of slots');
  const version = Reflect.get(parsed, 'version');
  const checksum = Reflect.get(parsed, 'checksum');
  const isUnchecked = version === 1 && checksum === undefined;
  if (!isUnchecked && checksum !== checksumOf(version, parsed.slots))
    throw corrupt(path, 'its checksum is wrong');
  if (!isUnchecked && version !== slotsVersion) throw otherFormat(path, version, slotsVersion);
  return parsed.slots.map((slot: unknown) => {
    if (!isSlot(slot)) throw corrupt(path, 'it is no list of slots');
    return slot;
  });
};

const checksumOf = (version: unknown, slots: readonly unknown[]): string =>
  crc32(JSON.stringify({ version, slots })).toString(16);

const isSlot = (slot: unknown): slot is ConsumerSlot =>
  typeof slot === 'object' &&
  slot !== null &&
  'name' in slot &&
  typeof slot.name === 'string' &&
  ['acknowledged', 'createdMs', 'seenMs'].every(
    (field) => Number.isSafeInteger(Reflect.get(slot, field)) && Reflect.get(slot, field) >= 0,
  );

const slotsVersion = 2;

const slotsPath = (directory: string): string => join(directory, 'SLOTS');

const corrupt = (path: string, reason: string): TailraceError =>
  new TailraceError('STORE_CORRUPT', `${path}: ${reason}`, {
    context: { file: path, reason },
    remedy: 'Restore the file, or remove it: then the log is no longer kept for any consumer.',
  });

const unknownSlot = (name: string): TailraceError =>
  new TailraceError('SLOT_NOT_FOUND', `there is no slot named ${name}`, {
    context: { name },
    remedy: 'Register it first (SLOT CREATE, or slots.register).',
  });
