import type { Change } from '../../data-model/index.js';
import type { CommandArgument, Reply, ReplyError } from '../../resp/index.js';
import type { KeyImage } from '../key-image.js';

export type Command = readonly CommandArgument[];

/**
 * How a key is read: each step gives the commands that are sent next and takes their replies. The end is the image, or
 * undefined when the key changed so much meanwhile that what was read fits no key.
 */
export type KeyReading = Generator<readonly Command[], KeyImage | undefined, readonly Reply[]>;

/** Reads a value: `undefined` as for keys; a text says why the value cannot be read. */
export type ValueReading = Generator<
  readonly Command[],
  readonly Change[] | string | undefined,
  readonly Reply[]
>;

/** How a value is read. */
export interface ReadLimits {
  /** Elements that are asked for at once; Infinity = all. */
  readonly pageElements: number;
  readonly budget: ByteBudget;
}

/** How many bytes of a key may be read; what an element takes in memory beside its bytes counts, too. */
export class ByteBudget {
  readonly isLimited: boolean;
  #left: number;

  constructor(bytes: number) {
    this.isLimited = bytes !== Number.POSITIVE_INFINITY;
    this.#left = bytes;
  }

  /** False when that is more than there was left. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  takeAll(parts: readonly Buffer[]): boolean {
    if (!this.isLimited) return true;
    let bytes = parts.length * partOverheadBytes;
    for (const part of parts) bytes += part.length;
    return this.take(bytes);
  }
}

/** A buffer and its share of a change, about: a hundred million small members would be ten times their bytes. */
const partOverheadBytes = 128;

/** What all changes of one key have in common. */
export interface KeyFacts {
  readonly seq: number;
  readonly index: number;
  readonly ns: string;
  readonly key: Buffer;
}

/** A key of another type than before has changed; anything else is why it cannot be read. */
export const failed = (reply: ReplyError): string | undefined =>
  reply.code === 'WRONGTYPE' || /no such key|not found/i.test(reply.message) ? undefined : reply.message;

/** The items of an answer as bytes. A Kvrocks tells the empty fields and values of stream entries as none. */
export const buffersOf = (replies: readonly Reply[]): Buffer[] =>
  replies.map((reply) => (reply instanceof Buffer ? reply : Buffer.from(String(reply ?? ''))));

/** What commands take as a number of elements, at most. */
export const largestCount = 2 ** 31 - 1;

/** The point in time that PEXPIRETIME answers; −2 for no such key. One beyond all numbers is as good as the largest. */
export const readExpiryTime = (reply: Reply | undefined): number | undefined => {
  if (typeof reply === 'bigint') return reply < 0n ? undefined : Number.MAX_SAFE_INTEGER;
  return typeof reply === 'number' && reply !== -1 ? reply : undefined;
};
