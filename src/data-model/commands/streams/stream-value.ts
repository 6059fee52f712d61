import type { DataIterator } from '../../../engine/index.js';
import { TailraceError } from '../../../errors/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import {
  compareStreamIds,
  encodeStreamFields,
  encodeStreamId,
  encodeStreamState,
  largestStreamId,
  newStreamState,
  readStreamFields,
  readStreamId,
  readStreamState,
  type StreamId,
  type StreamState,
  smallestStreamId,
  streamIdText,
} from '../../encoding/stream-encoding.js';
import { groupDelimiter } from '../../encoding/stream-group-encoding.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply, type Reply } from '../reply.js';
import { nextStreamId } from './stream-id.js';

export const streamNote = encodeLogData('stream');

export interface StreamEntry {
  readonly id: StreamId;
  readonly fields: readonly Buffer[];
}

/** A stream that a command works on. `state` and `length` change with it; `putMetadata` writes them. */
export class StreamValue {
  readonly context: CommandContext;
  readonly key: Buffer;
  readonly prefix: Buffer;
  readonly #metadata: Metadata;
  state: StreamState;
  length: number;

  constructor(context: CommandContext, key: Buffer, metadata: Metadata, state: StreamState) {
    this.context = context;
    this.key = key;
    this.#metadata = metadata;
    this.prefix = context.subKeyPrefix(key, metadata);
    this.state = state;
    this.length = metadata.size;
  }

  /** The fields of an entry; undefined when there is none. Owned. */
  read(id: StreamId): Buffer[] | undefined {
    const value = this.context.reader.get(ColumnFamily.streams, this.#entryKey(id));
    return value === undefined ? undefined : ownFields(value);
  }

  /** Entries from `first` to `last`, both in the range, at most `count`. Owned. */
  range(first: StreamId, last: StreamId, isReverse: boolean, count: number): StreamEntry[] {
    if (compareStreamIds(first, last) > 0 || count <= 0) return [];
    const iterator = this.#iterate(first, last, isReverse);
    const entries: StreamEntry[] = [];
    try {
      for (; iterator.valid && entries.length < count; iterator.next()) {
        const { key, value } = iterator.item;
        entries.push({ id: readStreamId(key, this.prefix.length), fields: ownFields(value) });
      }
      return entries;
    } finally {
      iterator.close();
    }
  }

  /** The ids of the first entries from `first` to `last`, at most `count`. */
  ids(first: StreamId, last: StreamId, count: number): StreamId[] {
    const ids: StreamId[] = [];
    if (compareStreamIds(first, last) > 0) return ids;
    const iterator = this.#iterate(first, last, false);
    try {
      for (; iterator.valid && ids.length < count; iterator.next())
        ids.push(readStreamId(iterator.item.key, this.prefix.length));
      return ids;
    } finally {
      iterator.close();
    }
  }

  /** How many entries there are from `first` on: counted, but not read. */
  countFrom(first: StreamId): number {
    const iterator = this.#iterate(first, largestStreamId, false);
    let count = 0;
    for (; iterator.valid; iterator.next()) count++;
    iterator.close();
    return count;
  }

  /** Puts an entry behind all others; metadata is the caller's to put. */
  append(id: StreamId, fields: readonly Buffer[]): void {
    this.context.batch.put(ColumnFamily.streams, this.#entryKey(id), encodeStreamFields(fields));
    this.length++;
    const isFirst = this.length === 1;
    this.state = {
      ...this.state,
      lastGeneratedId: id,
      lastId: id,
      firstId: isFirst ? id : this.state.firstId,
      recordedFirstId: isFirst ? id : this.state.recordedFirstId,
    };
  }

  /**
   * Deletes entries that are there, in ascending order; metadata is the caller's to put.
   * First and last id are looked up behind the deleted ones.
   */
  remove(ids: readonly StreamId[]): void {
    const [lowest] = ids;
    const highest = ids.at(-1);
    if (lowest === undefined || highest === undefined) return;
    for (const id of ids) this.context.batch.delete(ColumnFamily.streams, this.#entryKey(id));
    this.length -= ids.length;
    const { maxDeletedId, firstId, lastId } = this.state;
    const newFirst = this.length === 0 ? smallestStreamId : this.#edge(firstId, ids, false);
    const newLast = this.length === 0 ? smallestStreamId : this.#edge(lastId, ids.toReversed(), true);
    this.state = {
      ...this.state,
      maxDeletedId: compareStreamIds(highest, maxDeletedId) > 0 ? highest : maxDeletedId,
      firstId: newFirst,
      recordedFirstId: newFirst,
      lastId: newLast,
    };
  }

  putMetadata(): void {
    this.context.putMetadata(this.key, {
      ...this.#metadata,
      size: this.length,
      payload: encodeStreamState(this.state),
    });
  }

  /** The first or last entry that stays when some go, which are given in the order in which a walk from there meets them. */
  #edge(current: StreamId, gone: readonly StreamId[], isLast: boolean): StreamId {
    if (compareStreamIds(current, gone[0]) !== 0) return current;
    const iterator = isLast
      ? this.#iterate(smallestStreamId, current, true)
      : this.#iterate(current, largestStreamId, false);
    try {
      for (let met = 0; iterator.valid; iterator.next(), met++) {
        const id = readStreamId(iterator.item.key, this.prefix.length);
        if (met === gone.length || compareStreamIds(id, gone[met]) !== 0) return id;
      }
      return smallestStreamId;
    } finally {
      iterator.close();
    }
  }

  /** Entries alone: the records of groups lie behind them. */
  #iterate(first: StreamId, last: StreamId, isReverse: boolean): DataIterator {
    const behind = nextStreamId(last);
    const groups = Buffer.concat([this.prefix, groupDelimiter]);
    const wantedEnd = behind === undefined ? groups : this.#entryKey(behind);
    return this.context.reader.iterate({
      columnFamily: ColumnFamily.streams,
      begin: this.#entryKey(first),
      end: Buffer.compare(wantedEnd, groups) < 0 ? wantedEnd : groups,
      isReverse,
    });
  }

  #entryKey(id: StreamId): Buffer {
    return encodeInternalKey(this.prefix, encodeStreamId(id));
  }
}

/** The stream; undefined when there is no such key. */
export const findStream = (context: CommandContext, key: Buffer): StreamValue | undefined | ErrorReply => {
  const metadata = context.find(key, 'stream');
  if (metadata === undefined || metadata instanceof ErrorReply) return metadata;
  const state = readStreamState(metadata.payload);
  if (state === undefined) throw damaged('metadata', key);
  return new StreamValue(context, key, metadata, state);
};

export const createStream = (context: CommandContext, key: Buffer): StreamValue =>
  new StreamValue(context, key, context.create('stream'), newStreamState);

export const damaged = (what: string, key: Buffer): TailraceError =>
  new TailraceError('STORE_CORRUPT', `the ${what} of a stream cannot be read`, {
    context: { key: key.toString('latin1') },
    remedy: 'Restore the store from a checkpoint.',
  });

export const idReply = (id: StreamId): Buffer => Buffer.from(streamIdText(id), 'latin1');

export const entryReply = ({ id, fields }: StreamEntry): Reply => [idReply(id), fields];

const ownFields = (value: Buffer): Buffer[] => {
  const fields = readStreamFields(Buffer.from(value));
  if (fields === undefined)
    throw new TailraceError('STORE_CORRUPT', 'the fields of a stream entry cannot be read', {
      remedy: 'Restore the store from a checkpoint.',
    });
  return fields;
};
