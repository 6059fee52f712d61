import { prefixSuccessor } from '../../../bytes/index.js';
import { ColumnFamily } from '../../encoding/column-family.js';
import { encodeInternalKey } from '../../encoding/keys.js';
import { readStreamId, type StreamId } from '../../encoding/stream-encoding.js';
import {
  allGroupsPrefix,
  type ConsumerState,
  consumersPrefix,
  encodeConsumerState,
  encodeConsumerSubKey,
  encodeGroupState,
  encodeGroupSubKey,
  encodePendingState,
  encodePendingSubKey,
  type GroupState,
  type PendingState,
  pendingPrefix,
  readConsumerState,
  readGroupState,
  readGroupSubKey,
  readPendingState,
} from '../../encoding/stream-group-encoding.js';
import type { CommandContext } from '../command-context.js';
import { ErrorReply } from '../reply.js';
import { nextStreamId } from './stream-id.js';
import { damaged, findStream, type StreamValue } from './stream-value.js';

export interface PendingEntry extends PendingState {
  readonly id: StreamId;
}

/** Which pending entries are wanted. */
export interface PendingQuery {
  readonly first: StreamId;
  readonly last?: StreamId;
  readonly consumer?: Buffer;
  /** Only those that were delivered last until then. */
  readonly deliveredUntilMs?: number;
}

export interface GroupConsumer {
  readonly name: Buffer;
  readonly state: ConsumerState;
}

/** A consumer group that a command works on. What changes is kept in `state` until `finish`. */
export class StreamGroup {
  readonly stream: StreamValue;
  readonly name: Buffer;
  state: GroupState;
  readonly #stored: GroupState;
  readonly #consumers = new Map<string, { readonly name: Buffer; state: ConsumerState }>();

  constructor(stream: StreamValue, name: Buffer, state: GroupState) {
    this.stream = stream;
    this.name = name;
    this.state = state;
    this.#stored = state;
  }

  consumer(name: Buffer): ConsumerState | undefined {
    const changed = this.#consumers.get(name.toString('latin1'));
    if (changed !== undefined) return changed.state;
    const value = this.#get(encodeConsumerSubKey(this.name, name));
    return value === undefined ? undefined : this.#read(readConsumerState(value));
  }

  setConsumer(name: Buffer, state: ConsumerState): void {
    if (this.consumer(name) === undefined)
      this.state = { ...this.state, consumerCount: this.state.consumerCount + 1 };
    this.#consumers.set(name.toString('latin1'), { name: Buffer.from(name), state });
  }

  /** Creates the consumer that a command names, if there is none yet. */
  ensureConsumer(name: Buffer, nowMs: number): ConsumerState {
    const known = this.consumer(name);
    if (known !== undefined) return known;
    const created = { pendingCount: 0, lastSeenMs: nowMs, lastActiveMs: nowMs };
    this.setConsumer(name, created);
    return created;
  }

  /** Puts the group and its consumers when they differ from what is stored. */
  putWhenChanged(): void {
    if (this.state === this.#stored && this.#consumers.size === 0) return;
    this.putGroup();
    this.putConsumers();
  }

  /** Changes how many entries wait for a consumer; a consumer that is gone is left gone. */
  addPending(name: Buffer, change: number): void {
    const consumer = this.consumer(name);
    if (consumer === undefined) return;
    this.setConsumer(name, { ...consumer, pendingCount: Math.max(0, consumer.pendingCount + change) });
  }

  consumers(): GroupConsumer[] {
    const found: GroupConsumer[] = [];
    this.#walk(consumersPrefix(this.name), (key, value) => {
      const name = readGroupSubKey(this.#ownSubKey(key));
      if (name?.kind === 'consumer')
        found.push({ name: name.consumer, state: this.#read(readConsumerState(value)) });
    });
    return found;
  }

  pending(id: StreamId): PendingEntry | undefined {
    const value = this.#get(encodePendingSubKey(this.name, id));
    return value === undefined ? undefined : { id, ...this.#read(readPendingState(Buffer.from(value))) };
  }

  /**
   * Pending entries in the order of ids, until `visit` answers false. Owned. Those of one consumer end with its last
   * one, which the number that is kept of them tells, and not at the end of the list, which may be long.
   */
  forEachPending(query: PendingQuery, visit: (entry: PendingEntry) => unknown): void {
    const { first, last, consumer, deliveredUntilMs = Number.POSITIVE_INFINITY } = query;
    let left =
      consumer === undefined ? Number.POSITIVE_INFINITY : (this.consumer(consumer)?.pendingCount ?? 0);
    if (left === 0) return;
    const prefix = pendingPrefix(this.name);
    const idAt = this.stream.prefix.length + prefix.length;
    const behind = last === undefined ? undefined : nextStreamId(last);
    const range = {
      from: encodePendingSubKey(this.name, first),
      ...(behind === undefined ? {} : { to: encodePendingSubKey(this.name, behind) }),
    };
    this.#walk(
      prefix,
      (key, value) => {
        const state = this.#read(readPendingState(value));
        if (consumer !== undefined && !state.consumer.equals(consumer)) return true;
        left--;
        if (state.deliveredMs > deliveredUntilMs) return left > 0;
        const entry = { ...state, consumer: Buffer.from(state.consumer), id: readStreamId(key, idAt) };
        return visit(entry) !== false && left > 0;
      },
      range,
    );
  }

  /** The first or the last pending entry. */
  edgeOfPending(isLast: boolean): StreamId | undefined {
    const prefix = pendingPrefix(this.name);
    let edge: StreamId | undefined;
    this.#walk(
      prefix,
      (key) => {
        edge = readStreamId(key, this.stream.prefix.length + prefix.length);
        return false;
      },
      { isReverse: isLast },
    );
    return edge;
  }

  putPending(id: StreamId, state: PendingState): void {
    this.#put(encodePendingSubKey(this.name, id), encodePendingState(state));
  }

  deletePending(id: StreamId): void {
    this.#delete(encodePendingSubKey(this.name, id));
  }

  deleteConsumer(name: Buffer): void {
    this.#delete(encodeConsumerSubKey(this.name, name));
    this.state = { ...this.state, consumerCount: this.state.consumerCount - 1 };
  }

  putGroup(): void {
    this.#put(encodeGroupSubKey(this.name), encodeGroupState(this.state));
  }

  putConsumers(): void {
    for (const { name, state } of this.#consumers.values())
      this.#put(encodeConsumerSubKey(this.name, name), encodeConsumerState(state));
  }

  /** Deletes the group with all that belongs to it. */
  destroy(): void {
    this.#delete(encodeGroupSubKey(this.name));
    for (const prefix of [consumersPrefix(this.name), pendingPrefix(this.name)])
      this.#walk(prefix, (key) => this.#delete(this.#ownSubKey(key)));
  }

  /** Visits records until `visit` answers false; both its arguments are borrowed until it returns. */
  #walk(
    prefix: Buffer,
    visit: (key: Buffer, value: Buffer) => unknown,
    range: { readonly from?: Buffer; readonly to?: Buffer; readonly isReverse?: boolean } = {},
  ): void {
    const { context, prefix: streamPrefix } = this.stream;
    const { from = prefix, to, isReverse = false } = range;
    const end =
      to === undefined
        ? prefixSuccessor(encodeInternalKey(streamPrefix, prefix))
        : encodeInternalKey(streamPrefix, to);
    const iterator = context.reader.iterate({
      columnFamily: ColumnFamily.streams,
      begin: encodeInternalKey(streamPrefix, from),
      ...(end === undefined ? {} : { end }),
      isReverse,
    });
    try {
      for (; iterator.valid; iterator.next()) {
        const { key, value } = iterator.item;
        if (visit(key, value) === false) return;
      }
    } finally {
      iterator.close();
    }
  }

  #ownSubKey(key: Buffer): Buffer {
    return Buffer.from(key.subarray(this.stream.prefix.length));
  }

  #read<State>(state: State | undefined): State {
    if (state === undefined) throw damaged('group', this.stream.key);
    return state;
  }

  #get(subKey: Buffer): Buffer | undefined {
    return this.stream.context.reader.get(
      ColumnFamily.streams,
      encodeInternalKey(this.stream.prefix, subKey),
    );
  }

  #put(subKey: Buffer, value: Buffer): void {
    this.stream.context.batch.put(ColumnFamily.streams, encodeInternalKey(this.stream.prefix, subKey), value);
  }

  #delete(subKey: Buffer): void {
    this.stream.context.batch.delete(ColumnFamily.streams, encodeInternalKey(this.stream.prefix, subKey));
  }
}

/** The group of a stream; undefined when there is none. */
export const findGroupOf = (stream: StreamValue, name: Buffer): StreamGroup | undefined => {
  const key = encodeInternalKey(stream.prefix, encodeGroupSubKey(name));
  const value = stream.context.reader.get(ColumnFamily.streams, key);
  if (value === undefined) return undefined;
  const state = readGroupState(value);
  if (state === undefined) throw damaged('group', stream.key);
  return new StreamGroup(stream, Buffer.from(name), state);
};

/** The group; a refusal when the key or the group is missing. `command` is named as Redis names it. */
export const findGroup = (context: CommandContext, key: Buffer, name: Buffer): StreamGroup | ErrorReply => {
  const stream = findStream(context, key);
  if (stream instanceof ErrorReply) return stream;
  const group = stream === undefined ? undefined : findGroupOf(stream, name);
  return group ?? noGroup(key, name);
};

const noGroup = (key: Buffer, name: Buffer): ErrorReply =>
  new ErrorReply(`NOGROUP No such key '${key.toString()}' or consumer group '${name.toString()}'`);

/** The same where the stream is known to be there. */
export const noGroupIn = (key: Buffer, name: Buffer): ErrorReply =>
  new ErrorReply(`NOGROUP No such consumer group '${name.toString()}' for key name '${key.toString()}'`);

/** All groups of a stream in the order of their records. */
export const groupsOf = (stream: StreamValue): StreamGroup[] => {
  const groups: StreamGroup[] = [];
  const begin = encodeInternalKey(stream.prefix, allGroupsPrefix);
  const end = prefixSuccessor(begin);
  const range = { columnFamily: ColumnFamily.streams, begin, ...(end === undefined ? {} : { end }) };
  for (const { key, value } of stream.context.reader.iterate(range)) {
    const subKey = readGroupSubKey(Buffer.from(key.subarray(stream.prefix.length)));
    const state = readGroupState(value);
    if (subKey?.kind !== 'group' || state === undefined) throw damaged('group', stream.key);
    groups.push(new StreamGroup(stream, subKey.group, state));
  }
  return groups;
};
