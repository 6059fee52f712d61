import { copyOf } from '../../../bytes/index.js';
import type { RecordTarget } from '../../../engine/index.js';
import { TailraceError } from '../../../errors/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import {
  type ListEnds,
  listPositionBytes,
  newListEnds,
  readListEnds,
  writeListEnds,
} from '../../encoding/list-encoding.js';
import type { Metadata } from '../../encoding/metadata.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply, type SliceReply } from '../reply.js';
import { forEachSubKey } from '../sub-keys.js';

export type ListSide = 'left' | 'right';

/**
 * A list that a command works on. `head` and `tail` change as elements come and go; `finish` puts the metadata
 * that tells so. Elements are at head … tail − 1.
 */
export class ListValue {
  readonly #context: CommandContext;
  readonly #key: Buffer;
  readonly #metadata: Metadata;
  /** What the internal keys of its elements start with. */
  readonly #prefix: Buffer;
  head: number;
  tail: number;

  constructor(context: CommandContext, key: Buffer, metadata: Metadata, ends: ListEnds) {
    this.#context = context;
    this.#key = key;
    this.#metadata = metadata;
    this.#prefix = context.subKeyPrefix(key, metadata);
    this.head = ends.head;
    this.tail = ends.tail;
  }

  get length(): number {
    return Math.max(0, this.tail - this.head);
  }

  /** The element at a position. Borrowed. @throws TailraceError `STORE_CORRUPT` when it is missing */
  at(position: number): Buffer {
    const element = this.#context.reader.get(ColumnFamily.subKeys, this.#keyOf(position));
    if (element === undefined) throw this.#missing(position);
    return element;
  }

  /** The elements from one position to another, both in the list. Owned. @throws TailraceError as `at` */
  elements(first: number, last: number): Buffer[] {
    const elements: Buffer[] = [];
    const wanted = last - first + 1;
    if (wanted <= fewElements) {
      for (let position = first; position <= last; position++) elements.push(Buffer.from(this.at(position)));
      return elements;
    }
    const visit: RecordTarget['record'] = (_key, _keyStart, _keyEnd, bytes, start, end) =>
      elements.push(copyOf(bytes, start, end)) < wanted;
    const begin = Buffer.from(this.#keyOf(first));
    forEachSubKey(this.#context, ColumnFamily.subKeys, this.#prefix, visit, begin);
    if (elements.length < wanted) throw this.#missing(first + elements.length);
    return elements;
  }

  /** The position of an index as clients count (negative from the end); undefined outside the list. */
  positionOf(index: number): number | undefined {
    const position = index < 0 ? this.tail + index : this.head + index;
    return position >= this.head && position < this.tail ? position : undefined;
  }

  /** Puts an element; the caller keeps head and tail right. */
  put(position: number, element: Uint8Array): void {
    this.#context.batch.put(ColumnFamily.subKeys, this.#keyOf(position), element);
  }

  delete(position: number): void {
    this.#context.batch.delete(ColumnFamily.subKeys, this.#keyOf(position));
  }

  push(side: ListSide, element: Uint8Array): void {
    this.put(side === 'left' ? --this.head : this.tail++, element);
  }

  /** Takes the element at one end away. Borrowed. */
  pop(side: ListSide): Buffer {
    const element = this.at(side === 'left' ? this.head : this.tail - 1);
    this.#dropEnd(side);
    return element;
  }

  /** As `pop`, but where the element lies until the next read. Hot: bench `server`, RPOP. */
  popBriefly(side: ListSide): SliceReply {
    const context = this.#context;
    const position = side === 'left' ? this.head : this.tail - 1;
    if (!context.locate(ColumnFamily.subKeys, this.#keyOf(position))) throw this.#missing(position);
    this.#dropEnd(side);
    return context.place;
  }

  #dropEnd(side: ListSide): void {
    this.delete(side === 'left' ? this.head++ : --this.tail);
  }

  /** Puts the metadata as the list is now; deletes it when the list is empty. */
  finish(): void {
    if (this.length === 0) this.#context.deleteMetadata(this.#key);
    else this.putMetadata();
  }

  putMetadata(): void {
    writeListEnds(listEndsBytes, this);
    this.#context.putSize(this.#key, this.#metadata, this.length, listEndsBytes);
  }

  deleteMetadata(): void {
    this.#context.deleteMetadata(this.#key);
  }

  #missing(position: number): TailraceError {
    return new TailraceError('STORE_CORRUPT', 'an element of a list is missing', {
      context: { key: this.#key.toString('latin1'), position },
      remedy: 'The store does not hold what its metadata says; restore it from a checkpoint.',
    });
  }

  /** The internal key of an element. Borrowed until the next call. */
  #keyOf(position: number): Buffer {
    return this.#context.scratchKey.joinPosition(this.#prefix, position);
  }
}

/** The list; undefined when there is no such key. */
export const findList = (context: CommandContext, key: Buffer): ListValue | undefined | ErrorReply => {
  const metadata = context.find(key, 'list');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  const ends = readListEnds(metadata.payload);
  if (ends === undefined)
    throw new TailraceError('STORE_CORRUPT', 'the metadata of a list has no head and tail', {
      context: { key: key.toString('latin1') },
      remedy: 'Restore the store from a checkpoint.',
    });
  return new ListValue(context, key, metadata, ends);
};

/** A new list under the key, whatever was there; nothing is written yet. */
export const createList = (context: CommandContext, key: Buffer): ListValue =>
  new ListValue(context, key, context.create('list'), newListEnds);

export const findOrCreateList = (context: CommandContext, key: Buffer): ListValue | ErrorReply =>
  findList(context, key) ?? createList(context, key);

/** Looked up one by one in less time than a walk takes to begin. */
const fewElements = 16;

/** Scratch: it is copied before anyone else can write it. */
const listEndsBytes = Buffer.alloc(2 * listPositionBytes);
