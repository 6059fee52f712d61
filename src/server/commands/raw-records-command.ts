import { appendRawRecords } from '../../data-model/index.js';
import { WriteBatchBuilder } from '../../write-batch/index.js';
import type { Connection } from '../connection.js';

/**
 * RECORDS RAW cursor [BYTES n]: the records of all keys, page by page, cut wherever the bytes are reached; for a store of the
 * same format that replays the log behind it. Answers the sequence number of the newest write that the records contain (it
 * may not be durable yet), where to go on (nil at the end), and the records as one serialized WriteBatch.
 */
export const rawRecords = (connection: Connection, args: readonly Buffer[]): void => {
  const { reply, state } = connection;
  const hasBytes = args.length === 5 && args[3].toString('latin1').toUpperCase() === 'BYTES';
  const maxBytes = hasBytes ? Number(args[4].toString('latin1')) : defaultBytes;
  if (args.length !== 3 && !hasBytes) {
    reply.error('ERR syntax error');
    return;
  }
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    reply.error('ERR value is not an integer or out of range');
    return;
  }
  const store = connection.session.checkpoint ?? state.store;
  const batch = new WriteBatchBuilder(64 * 1024);
  const limit = { maxBytes: Math.min(maxBytes, largestBytes), nowMs: state.services.nowMs() };
  const { next } = appendRawRecords(store, args[2], limit, batch);
  reply.array(3);
  reply.integer(store.sequence);
  if (next === undefined) reply.null();
  else reply.bulk(next);
  reply.bulk(batch.finish());
};

const defaultBytes = 1024 * 1024;
const largestBytes = 64 * 1024 * 1024;
