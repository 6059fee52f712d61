import { bitmapFragmentBytes, encodeFragmentOffset, reverseBits } from '../../encoding/bitmap-encoding.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import type { Metadata } from '../../encoding/metadata.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply, refusal } from '../reply.js';
import { forEachSubKey } from '../sub-keys.js';

/** A key whose bits can be read: a string, or a bitmap in fragments. */
export interface BitValue {
  readonly key: Buffer;
  readonly metadata: Metadata;
  /** length in bytes */
  readonly length: number;
}

/** The key; undefined when there is none. */
export const findBits = (context: CommandContext, key: Buffer): BitValue | undefined | ErrorReply => {
  const metadata = context.findAny(key);
  if (metadata === undefined) return undefined;
  if (metadata.type === 'string') return { key, metadata, length: metadata.payload.length };
  if (metadata.type !== 'bitmap') return refusal.wrongType;
  return metadata.size > maxBitmapBytes ? damaged : { key, metadata, length: metadata.size };
};

/** Bits are numbered to 2^32 − 1. */
const maxBitmapBytes = 2 ** 29;
const damaged = new ErrorReply('ERR the stored bitmap is damaged');

/** Bytes `from` … `to` − 1 in Redis' bit order; what was never written is zero. Owned. */
export const readBits = (context: CommandContext, value: BitValue, from: number, to: number): Buffer => {
  if (value.metadata.type === 'string') return Buffer.from(value.metadata.payload.subarray(from, to));
  const fragments = new FragmentReader(context, value);
  const bytes = Buffer.alloc(Math.max(0, to - from));
  const first = from - (from % bitmapFragmentBytes);
  for (let start = first; start < to; start += bitmapFragmentBytes) {
    const fragment = fragments.at(start);
    if (fragment === undefined) continue;
    const skipped = Math.max(0, from - start);
    reverseBits(fragment.subarray(skipped, to - start)).copy(bytes, start + skipped - from);
  }
  return bytes;
};

/** Of so many bytes all fragments are asked for whether they are stored or not: that takes less than finding out. */
export const fewBytes = 256 * 1024;

/** The byte offsets of the fragments of a bitmap that are stored, in order. Of a long one most may never have been written. */
export const storedFragments = (context: CommandContext, { key, metadata }: BitValue): Float64Array => {
  const offsets: number[] = [];
  forEachSubKey(context, ColumnFamily.subKeys, context.subKeyPrefix(key, metadata), (bytes, start, end) => {
    offsets.push(Number(bytes.toString('latin1', start, end)));
    return true;
  });
  return Float64Array.from(offsets).sort();
};

/** Reads the fragments of a bitmap as they are stored. */
export class FragmentReader {
  readonly #context: CommandContext;
  readonly prefix: Buffer;

  constructor(context: CommandContext, value: BitValue) {
    this.#context = context;
    this.prefix = context.subKeyPrefix(value.key, value.metadata);
  }

  /** The fragment that starts at this byte offset. Borrowed. */
  at(byteOffset: number): Buffer | undefined {
    const key = encodeInternalKey(this.prefix, encodeFragmentOffset(byteOffset));
    return this.#context.reader.get(ColumnFamily.subKeys, key);
  }
}

/**
 * A bitmap being changed: fragments are loaded as they are touched and put when all is done. Bytes are as
 * stored.
 */
export class BitmapEditor {
  readonly #context: CommandContext;
  readonly #value: BitValue;
  readonly #reader: FragmentReader;
  readonly #touched = new Map<number, Buffer>();
  /** The fragment that was looked for last, as it is stored: fields are read and written bit by bit. */
  #stored: { readonly start: number; readonly fragment: Buffer | undefined } | undefined;
  #length: number;

  constructor(context: CommandContext, value: BitValue) {
    this.#context = context;
    this.#value = value;
    this.#reader = new FragmentReader(context, value);
    this.#length = value.length;
  }

  byteAt(index: number): number {
    const start = index - (index % bitmapFragmentBytes);
    return (this.#touched.get(start) ?? this.#storedAt(start))?.[index - start] ?? 0;
  }

  setByte(index: number, byte: number): void {
    const start = index - (index % bitmapFragmentBytes);
    const fragment = this.#grown(start, index - start + 1);
    fragment[index - start] = byte;
    this.#length = Math.max(this.#length, index + 1);
  }

  /** Puts the fragments in the order of their first touch, and the metadata when the bitmap grew. */
  finish(): void {
    for (const [start, fragment] of this.#touched) {
      const key = encodeInternalKey(this.#reader.prefix, encodeFragmentOffset(start));
      this.#context.batch.put(ColumnFamily.subKeys, key, fragment);
    }
    if (this.#length > this.#value.length)
      this.#context.putMetadata(this.#value.key, { ...this.#value.metadata, size: this.#length });
  }

  /** The touched fragment with room for `bytes`: it grows to twice its stored length at least, as Kvrocks' do. */
  #grown(start: number, bytes: number): Buffer {
    const stored = this.#storedAt(start) ?? noBytes;
    const current = this.#touched.get(start) ?? Buffer.from(stored);
    const wanted = bytes <= current.length ? current.length : Math.max(bytes, stored.length * 2);
    const length = Math.min(bitmapFragmentBytes, wanted);
    const grown = current.length === length ? current : Buffer.concat([current], length);
    this.#touched.set(start, grown);
    return grown;
  }

  #storedAt(start: number): Buffer | undefined {
    if (this.#stored?.start !== start) this.#stored = { start, fragment: this.#reader.at(start) };
    return this.#stored.fragment;
  }
}

/** A bitmap under a key that holds nothing; nothing is written yet. */
export const createBitmap = (context: CommandContext, key: Buffer): BitValue => ({
  key,
  metadata: context.create('bitmap'),
  length: 0,
});

const noBytes = Buffer.alloc(0);
