import type { WalBatch } from '../../engine/index.js';
import { isTailraceError } from '../../errors/index.js';
import { ByteWriter } from '../../resp/index.js';
import { validateWriteBatch } from '../../write-batch/index.js';
import type { Connection } from '../connection.js';
import { PollCursor } from '../poll-cursor.js';
import type { ServerCommand } from '../server-command.js';

/** What a client asked POLLUPDATES for. */
interface PollRequest {
  /** Last sequence number that the client has seen. */
  readonly sequence: bigint;
  readonly max: number;
  readonly isStrict: boolean;
}

/**
 * POLLUPDATES sequence [MAX n] [STRICT] [FORMAT RAW]: the batches after a sequence number, as Apache Kvrocks answers
 * it: next_sequence, latest_sequence, and each batch in hexadecimal. Only durable batches are seen. A reply is bounded
 * in bytes too; a larger batch comes alone. Batches without counted records never end a reply, so that a client that
 * feeds next_sequence back always gets on.
 */
const pollUpdates: ServerCommand = {
  name: 'pollupdates',
  arity: -2,
  flags: ['readonly'],
  arityError: 'ERR wrong number of arguments',
  run: (connection, args) => {
    const request = parseRequest(args);
    if (typeof request === 'string') connection.reply.error(request);
    else answerPoll(connection, request);
  },
};

const answerPoll = (connection: Connection, request: PollRequest): void => {
  const { reply, state } = connection;
  const latest = state.store.durableSequence;
  const next = BigInt.asUintN(64, request.sequence + 1n);
  if (next === BigInt(latest) + 1n) {
    writeUpdates(connection, request.sequence, latest);
    return;
  }
  if (next > BigInt(latest) + 1n) {
    reply.error('ERR next sequence is out of range');
    return;
  }
  connection.pollCursor ??= new PollCursor(state.store);
  const cursor = connection.pollCursor;
  const since = Number(next) - 1;
  const iterator = cursor.after(Math.max(since, 0));
  if (request.isStrict && iterator.valid && iterator.item.sequence !== Number(next)) {
    reply.error(`ERR mismatched sequence number, expected ${next} but got ${iterator.item.sequence}`);
    cursor.close();
    return;
  }
  const updates = new UpdateList(request.max);
  for (; iterator.valid && !updates.isFull; iterator.next()) {
    const batch: WalBatch = iterator.item;
    if (updates.bytes > 0 && updates.bytes + batch.bytes.length > maxReplyBytes) break;
    updates.add(batch);
  }
  if (updates.last < 0 || updates.endsEmpty) cursor.close();
  else cursor.advance(updates.last);
  writeUpdates(connection, updates.last < 0 ? request.sequence : BigInt(updates.last), latest, updates);
};

/**
 * The updates of one reply, encoded as they are read. A batch without counted records is held back until a counted one
 * follows, so that it never ends a reply; when there is room for only one more, it is passed over. Hot: bench
 * `pollupdates`.
 */
class UpdateList {
  count = 0;
  /** Bytes of the batches, before they become hexadecimal. */
  bytes = 0;
  /** Last sequence number contained; -1 while there is none. */
  last = -1;
  readonly encoded = scratch;
  readonly #max: number;
  #held: Buffer[] = [];

  constructor(max: number) {
    this.#max = max;
    scratch.clear();
  }

  get isFull(): boolean {
    return this.count >= this.#max;
  }

  /** True when batches without counted records were read behind the last update. */
  get endsEmpty(): boolean {
    return this.#held.length > 0;
  }

  add(batch: WalBatch): void {
    if (batch.count === 0) {
      this.#held.push(Buffer.from(batch.bytes));
      return;
    }
    if (this.#held.length > 0) {
      if (this.count + this.#held.length < this.#max) for (const bytes of this.#held) this.#encode(bytes);
      this.#held = [];
    }
    this.#encode(batch.bytes);
    this.last = batch.sequence + batch.count - 1;
  }

  #encode(bytes: Buffer): void {
    const out = this.encoded;
    out.byte(0x24);
    out.decimal(bytes.length * 2);
    out.raw(lineEnd);
    out.hex(bytes);
    out.raw(lineEnd);
    this.count++;
    this.bytes += bytes.length;
  }
}

const writeUpdates = (connection: Connection, next: bigint, latest: number, updates?: UpdateList): void => {
  const { reply } = connection;
  reply.map(3);
  reply.bulk(nextSequence);
  reply.integer(next);
  reply.bulk(latestSequence);
  reply.integer(latest);
  reply.bulk(updatesWord);
  reply.array(updates?.count ?? 0);
  if (updates !== undefined) reply.out.raw(updates.encoded.bytes);
};

/** The request, or the error text for the client. */
const parseRequest = (args: readonly Buffer[]): PollRequest | string => {
  const sequence = parseUnsigned(args[1].toString('latin1'));
  if (typeof sequence === 'string') return sequence;
  let max = defaultMax;
  let isStrict = false;
  for (let i = 2; i < args.length; i++) {
    const word = args[i].toString('latin1').toUpperCase();
    if (word === 'STRICT') {
      isStrict = true;
    } else if (word === 'MAX' || word === 'FORMAT') {
      const value = args[++i]?.toString('latin1');
      if (value === undefined) return 'ERR no more item to parse';
      if (word === 'FORMAT') {
        if (value.toUpperCase() !== 'RAW') return 'ERR invalid FORMAT option, only support RAW';
        continue;
      }
      const count = parseCount(value);
      if (typeof count === 'string') return count;
      max = count;
    } else {
      return 'ERR syntax error';
    }
  }
  return { sequence, max, isStrict };
};

/** An unsigned 64-bit number as strtoull reads it: a minus sign wraps. */
const parseUnsigned = (text: string): bigint | string => {
  if (!/^[+-]?\d/.test(text)) return 'ERR not started as an integer';
  if (!/^[+-]?\d+$/.test(text)) return 'ERR encounter non-integer characters';
  const value = BigInt(text.replace('+', ''));
  if (value > maxU64 || value < -maxU64) return 'ERR Numerical result out of range';
  return BigInt.asUintN(64, value);
};

const parseCount = (text: string): number | string => {
  if (!/^[+-]?\d/.test(text)) return 'ERR not started as an integer';
  if (!/^[+-]?\d+$/.test(text)) return 'ERR encounter non-integer characters';
  const value = Number(text);
  return value >= 1 && value <= largestMax ? value : 'ERR out of numeric range';
};

const applyBatch: ServerCommand = {
  name: 'applybatch',
  arity: -2,
  flags: ['write'],
  arityError: 'ERR wrong number of arguments',
  isRefusedInMulti: true,
  run: (connection, args) => {
    try {
      const bytes = Buffer.from(args[1]);
      validateWriteBatch(bytes);
      connection.commit(bytes);
      connection.reply.integer(1);
    } catch (error) {
      if (!isTailraceError(error)) throw error;
      connection.reply.error(batchError(error.code, error.message));
    }
  },
};

const batchError = (code: string, message: string): string =>
  code === 'BATCH_CORRUPT' || code === 'BATCH_RECORD_UNKNOWN'
    ? `ERR Corruption: ${message.replace(/(\(too small\)).*/, '$1')}`
    : `ERR ${message}`;

/** Replies are made one after the other, so one buffer serves all. */
const scratch = new ByteWriter(256 * 1024);
const lineEnd = Buffer.from('\r\n');
const defaultMax = 16;
const largestMax = 1000;
/** Bytes of batches in one reply; their hexadecimal text is twice as long. */
const maxReplyBytes = 8 * 1024 * 1024;
const maxU64 = 0xffff_ffff_ffff_ffffn;
const nextSequence = Buffer.from('next_sequence');
const latestSequence = Buffer.from('latest_sequence');
const updatesWord = Buffer.from('updates');

export const logCommands: readonly ServerCommand[] = [pollUpdates, applyBatch];
