import {
  batchCount,
  batchHeaderBytes,
  batchSequence,
  type Reply,
  type SourceBatch,
  TailraceError,
} from '../../src/kit/index.js';

/** The answer to POLLUPDATES with FORMAT RAW. */
export interface PolledUpdates {
  readonly latestSequence: number;
  readonly batches: SourceBatch[];
}

/**
 * Reads the reply `next_sequence n latest_sequence n updates [hex …]`: a flat array in RESP2, a map in RESP3, which
 * arrives flat as well. Each update is the hexadecimal text of one serialized WriteBatch.
 * @throws TailraceError `SOURCE_UNSUPPORTED` for anything else
 */
export const readPolledUpdates = (reply: Reply): PolledUpdates => {
  if (!Array.isArray(reply) || reply.length < 6) throw unexpected('the reply has another shape');
  const latestSequence = Number(reply[3]);
  const updates = reply[5];
  if (!Number.isSafeInteger(latestSequence) || !Array.isArray(updates))
    throw unexpected('the reply has another shape');
  return { latestSequence, batches: updates.map(readBatch) };
};

const readBatch = (update: Reply): SourceBatch => {
  if (!(update instanceof Buffer)) throw unexpected('an update is no string');
  const bytes = Buffer.from(update.toString('latin1'), 'hex');
  if (bytes.length * 2 !== update.length) throw unexpected('an update is not hexadecimal');
  if (bytes.length < batchHeaderBytes) throw unexpected('an update is too short for a write batch');
  return { sequence: batchSequence(bytes), count: batchCount(bytes), bytes };
};

const unexpected = (reason: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `the source answers POLLUPDATES unexpectedly: ${reason}`, {
    context: { reason },
    remedy: 'Check that the address is that of an Apache Kvrocks 2.10 or later, or of tailrace serve.',
  });
