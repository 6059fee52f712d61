import { CommandContext, readString } from '../../data-model/commands/index.js';
import { isTailraceError } from '../../errors/index.js';
import { validateWriteBatch } from '../../write-batch/index.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { describeBatch } from './describe-batch.js';
import { answerPoll } from './poll-updates.js';
import { parseUnsigned, parseUpdateRequest } from './update-request.js';
import { UpdateStream } from './update-stream.js';

/**
 * POLLUPDATES sequence [MAX n] [STRICT] [FORMAT RAW|RESP]: the batches after a sequence number, as Apache Kvrocks
 * answers it: next_sequence, latest_sequence, and each batch in hexadecimal or its commands. Only durable batches are
 * seen. A reply is bounded in bytes too; a larger batch comes alone. Batches without counted records never end a
 * reply, so that a client that feeds next_sequence back always gets on. Ours alone: FORMAT JSON|BINARY, BLOCK ms,
 * SINCE-TIME ms, MATCH glob, TYPE type.
 */
const pollUpdates: ServerCommand = {
  name: 'pollupdates',
  arity: -2,
  flags: ['readonly'],
  isAdmin: true,
  arityError: 'ERR wrong number of arguments',
  run: (connection, args) => {
    const request = parseUpdateRequest(args, false);
    if (typeof request === 'string') connection.reply.error(request);
    else answerPoll(connection, request);
  },
};

/**
 * STREAMUPDATES sequence …: pushes updates as they commit. STREAMUPDATES ACK sequence, which is not answered, lets
 * more come; STREAMUPDATES END ends it.
 */
const streamUpdates: ServerCommand = {
  name: 'streamupdates',
  arity: -2,
  flags: ['readonly'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { reply, updateStream } = connection;
    const word = args[1].toString('latin1').toUpperCase();
    if (word === 'ACK' && args.length === 3) {
      // A late one, for a stream that has ended, is as good as none.
      updateStream?.acknowledge(Number(args[2].toString('latin1')));
    } else if (word === 'END' && args.length === 2) {
      updateStream?.close();
      connection.updateStream = undefined;
      reply.ok();
    } else if (updateStream !== undefined) {
      reply.error('ERR updates are streamed already on this connection');
    } else {
      const request = parseUpdateRequest(args, true);
      if (typeof request === 'string') reply.error(request);
      else UpdateStream.start(connection, request);
    }
  },
};

/** WALGET sequence [DETAIL]: the batch that contains a sequence number, record by record. */
const walGet: ServerCommand = {
  name: 'walget',
  arity: -2,
  flags: ['readonly'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: ({ reply, state }, args) => {
    const sequence = parseUnsigned(args[1].toString('latin1'));
    const isDetailed = args[2]?.toString('latin1').toUpperCase() === 'DETAIL';
    if (typeof sequence === 'string') {
      reply.error(sequence);
    } else if (args.length > 3 || (args.length === 3 && !isDetailed)) {
      reply.error('ERR syntax error');
    } else if (sequence === 0n || sequence > BigInt(state.store.durableSequence)) {
      reply.error('ERR sequence is out of range');
    } else {
      const iterator = state.store.walIterator(Number(sequence) - 1);
      while (iterator.valid && iterator.item.count === 0) iterator.next();
      const lines = iterator.valid ? describeBatch(iterator.item.bytes, isDetailed) : [];
      iterator.close();
      reply.array(lines.length);
      for (const line of lines) reply.bulkText(line);
    }
  },
};

/**
 * APPLYBATCH bytes [EXPECT key value]: commits a WriteBatch under new sequence numbers. With EXPECT, ours alone, only if
 * the string `key` of the default namespace holds `value` (an empty value: or does not exist); answers 1, else 0. So
 * whoever keeps his position in the batch can neither apply it twice nor after somebody else took over.
 */
const applyBatch: ServerCommand = {
  name: 'applybatch',
  arity: -2,
  flags: ['write'],
  isAdmin: true,
  arityError: 'ERR wrong number of arguments',
  isRefusedInMulti: true,
  run: (connection, args) => {
    const option = args[2]?.toString('latin1').toUpperCase();
    const isConditional = args.length === 5 && option === 'EXPECT';
    // A condition that is misspelt must not be taken for none. LOWPRI is Kvrocks': all writes are alike here.
    if (args.length > 2 && !isConditional && (args.length > 3 || option !== 'LOWPRI')) {
      connection.reply.error('ERR syntax error');
      return;
    }
    try {
      const bytes = Buffer.from(args[1]);
      validateWriteBatch(bytes);
      if (isConditional && !holds(connection, args[3], args[4])) {
        connection.reply.integer(0);
        return;
      }
      connection.state.hasTakenBatches = true;
      connection.commit(bytes);
      connection.reply.integer(1);
    } catch (error) {
      if (!isTailraceError(error)) throw error;
      connection.reply.error(batchError(error.code, error.message));
    }
  },
};

const holds = ({ state }: Connection, key: Buffer, expected: Buffer): boolean => {
  const held = readString(new CommandContext(state.store, state.services), key);
  if (held === undefined) return expected.length === 0;
  return Buffer.isBuffer(held) && held.equals(expected);
};

const batchError = (code: string, message: string): string =>
  code === 'BATCH_CORRUPT' || code === 'BATCH_RECORD_UNKNOWN'
    ? `ERR Corruption: ${message.replace(/(\(too small\)).*/, '$1')}`
    : `ERR ${message}`;

export const logCommands: readonly ServerCommand[] = [pollUpdates, streamUpdates, walGet, applyBatch];
