import { type ReplyError, TailraceError } from '../../src/kit/index.js';

/**
 * What an error reply to POLLUPDATES means.
 * @param after the sequence number that was polled behind
 * @returns a TailraceError that ends the session, or the reply itself when it is worth another try
 */
export const meaningOf = (reply: ReplyError, place: string, after: number): Error => {
  const { message } = reply;
  const mismatch = /expected (\d+) but got (\d+)/.exec(message);
  if (mismatch !== null) return misplaced(place, Number(mismatch[1]), Number(mismatch[2]));
  const purged = /sequence number (\d+) is no longer in the log, which begins at (\d+)/.exec(message);
  if (purged !== null) return misplaced(place, Number(purged[1]), Number(purged[2]));
  if (message.includes('next sequence is out of range')) return lostNewest(place, after);
  if (/^(LOADING|MASTERDOWN|TRYAGAIN|BUSY)\b/.test(message) || /loading|restoring/i.test(message))
    return reply;
  if (/^(NOAUTH|WRONGPASS|NOPERM)\b|invalid password|admin permission|authentication/i.test(message))
    return new TailraceError('SOURCE_REFUSED', `${place} refuses POLLUPDATES: ${message}`, {
      context: { source: place },
      remedy:
        'Give the password of the administrator (requirepass); newer versions refuse the tokens of namespaces.',
    });
  return new TailraceError('SOURCE_UNSUPPORTED', `${place} cannot be polled: ${message}`, {
    context: { source: place },
    remedy: 'POLLUPDATES needs Apache Kvrocks 2.10 or later, or tailrace serve.',
  });
};

/** The source does not have as much history as was already handled. */
export const lostNewest = (place: string, wanted: number): TailraceError =>
  new TailraceError(
    'WAL_SEQUENCE_AHEAD',
    `the history of ${place} ends before sequence number ${wanted}, which was already handled`,
    {
      context: { source: place, wanted },
      remedy:
        'The source lost its newest writes or is another one: start from a new snapshot, or reset the position.',
    },
  );

/** The batch at a sequence number is another than the one that was polled for. */
export const misplaced = (place: string, wanted: number, first: number): TailraceError =>
  first > wanted
    ? new TailraceError(
        'WAL_PURGED',
        `the log of ${place} no longer has sequence number ${wanted}, it begins at ${first}`,
        {
          context: { source: place, wanted, first },
          remedy:
            'Start from a new snapshot, and let the source keep its log for longer (rocksdb.wal_ttl_seconds and rocksdb.wal_size_limit_mb; `serve --wal-ttl`).',
        },
      )
    : new TailraceError(
        'HISTORY_MISMATCH',
        `at ${place} sequence number ${wanted} lies inside of a batch that begins at ${first}`,
        {
          context: { source: place, wanted, first },
          remedy: 'The source was restored or failed over: start from a new snapshot, or reset the position.',
        },
      );
