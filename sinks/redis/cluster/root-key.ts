import {
  type Ownership,
  overtaken,
  type Position,
  type Reply,
  ReplyError,
  slotOf,
  TailraceError,
} from '../../../src/kit/index.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { claimRoot, forgetRoot, setRoot } from './scripts.js';
import type { CallWord, SlotCalls } from './slot-calls.js';
import type { ClearedNamespace } from './slot-groups.js';
import { tagOfSlot } from './slot-tag.js';

/** What the root key of a pipeline holds. */
export interface RootState {
  readonly epoch: number;
  /** The epoch of the claim that made the key. */
  readonly born: number;
  /** Every slot has what stands up to here. */
  readonly position: Position | null;
  /** The closing slots, which hold that position: one of each master; empty where that is not known. */
  readonly witnesses: readonly number[];
  /** A bit for each slot that has a position key; may be empty. */
  readonly used: Buffer;
  readonly cleared: readonly ClearedNamespace[];
  /** How many words the servers take in one call. */
  readonly maxCallWords: number;
}

/**
 * The key in a cluster that says who may write, and up to where every slot is written. A hash:
 *
 *   epoch, owner           raised by each claim; a token of the claimant
 *   born                   the epoch that made the key
 *   sequence, count, crc   the position; absent until the first batch
 *   witnesses              the slots that closed the parts of the masters at that time, in decimal, with commas between
 *   slots                  a bit for each slot that has a key of its own (2 KiB)
 *   cleared:<namespace>    sequence number of the last clear that was carried out; `*` = all namespaces
 *
 * The slots' keys are named after it, each with a tag that keeps it in its slot.
 */
export class RootKey {
  readonly name: string;
  readonly #nodes: ClusterNodes;
  readonly #calls: SlotCalls;
  readonly #slot: number;

  constructor(name: string, nodes: ClusterNodes, calls: SlotCalls) {
    this.name = name;
    this.#nodes = nodes;
    this.#calls = calls;
    this.#slot = slotOf(Buffer.from(name));
  }

  /** Raises the epoch. @throws TailraceError `SINK_FENCED` | `OFFSETS_CORRUPT`; ReplyError */
  async claim({ token, lastEpoch }: Ownership, signal: AbortSignal): Promise<RootState> {
    const words = [claimRoot.sha, 1, this.name, token, lastEpoch];
    const reply = await this.#calls.call(this.#slot, words, signal);
    if (reply instanceof ReplyError && reply.code === 'OVERTAKEN') throw this.overtaken();
    return readRoot(this.name, reply);
  }

  /**
   * Sets fields, each a name and a value; false when a later epoch stands there.
   * @throws ReplyError; Error when the claim is gone with the data of its master: no process takes it away
   */
  async set(epoch: number, fields: readonly CallWord[], signal: AbortSignal): Promise<boolean> {
    const words = [setRoot.sha, 1, this.name, epoch, ...fields];
    const reply = await this.#calls.call(this.#slot, words, signal);
    if (reply === -1)
      throw new Error(`${this.name} on ${this.#nodes.place} is gone: its master was flushed, or lost data`);
    if (reply instanceof ReplyError) throw reply;
    return reply === 1;
  }

  /** Removes it, and with it what the slots' keys count for; false when another epoch stands there. */
  async forget(epoch: number, signal: AbortSignal): Promise<boolean> {
    return (await this.#calls.call(this.#slot, [forgetRoot.sha, 1, this.name, epoch], signal)) === 1;
  }

  /** Without a claim. */
  async read(signal: AbortSignal): Promise<RootState> {
    const master = await this.#nodes.connection(this.#nodes.masterOf(this.#slot), signal);
    return readRoot(this.name, await master.call('HGETALL', this.name));
  }

  /** The position key of a slot. */
  slotKey(slot: number): string {
    return `${this.name}:{${tagOfSlot(slot)}}`;
  }

  /** Whether a key is this one or that of a slot. */
  isOwn(key: Buffer): boolean {
    const text = key.toString('latin1');
    return text === this.name || text.startsWith(`${this.name}:{`);
  }

  overtaken(): TailraceError {
    return overtaken(`${this.name} on ${this.#nodes.place}`);
  }

  /** What a write is refused with. */
  moved(): Error {
    return new Error(`${this.name} on ${this.#nodes.place} is no longer what this process left there`);
  }
}

/** The fields of a position. */
export const positionFields = (
  position: Position | null,
  witnesses: RootState['witnesses'] = [],
): CallWord[] => {
  const { sequence, count, crc } = position ?? { sequence: 0, count: 0, crc: 0 };
  return ['sequence', sequence, 'count', count, 'crc', crc, 'witnesses', witnesses.join()];
};

const readRoot = (key: string, reply: Reply | undefined): RootState => {
  if (reply instanceof ReplyError) throw reply;
  const pairs = Array.isArray(reply) ? reply : [];
  const fields = new Map<string, Buffer>();
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const value = pairs[at + 1];
    if (value instanceof Buffer) fields.set(String(pairs[at]), value);
  }
  const number = (field: string): number | undefined => {
    const digits = fields.get(field)?.toString();
    if (digits === undefined) return undefined;
    const value = Number(digits);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw new TailraceError(
      'OFFSETS_CORRUPT',
      `the field ${field} of ${key} holds ${JSON.stringify(digits)}`,
      {
        context: { key, field },
        remedy: 'Something else writes to this key: give the pipeline another name or positionKey.',
      },
    );
  };
  const [sequence, count, crc] = [number('sequence'), number('count'), number('crc')];
  const cleared = [...fields.keys()]
    .filter((field) => field.startsWith(clearedField))
    .map((field) => ({ ns: field.slice(clearedField.length), seq: number(field) ?? 0 }));
  return {
    epoch: number('epoch') ?? 0,
    born: number('born') ?? 0,
    position: sequence && count !== undefined && crc !== undefined ? { sequence, count, crc } : null,
    witnesses: (fields.get('witnesses')?.toString().match(/\d+/g) ?? []).map(Number),
    used: fields.get('slots') ?? Buffer.alloc(0),
    cleared,
    maxCallWords: number('redis') ? maxCallWords : maxOldCallWords,
  };
};

/** A table of Lua takes 67,108,864. */
const maxCallWords = 60_000_000;
/** A Redis before 7, and a Kvrocks, take 1,048,576 words. */
const maxOldCallWords = 1_000_000;

export const clearedField = 'cleared:';
