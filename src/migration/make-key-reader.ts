import { type Reply, ReplyError } from '../resp/index.js';
import { CommandReader, type SequenceQuestion } from './commands/command-reader.js';
import type { KeyReader } from './key-reader.js';
import { RecordReader } from './record-reader.js';
import { requireReply, type ServerConnection } from './server-connection.js';

/**
 * The way of reading keys that the server has: physical records from tailrace serve, otherwise the commands that every
 * Kvrocks has.
 * @throws TailraceError `SOURCE_UNREACHABLE` | `SOURCE_REFUSED` | `SOURCE_UNSUPPORTED`
 */
export const makeKeyReader = async (
  connection: ServerConnection,
  signal: AbortSignal,
  options: { readonly usesRecords?: boolean } = {},
): Promise<KeyReader> => {
  const [records, sequence] = await connection.callAll(signal, [
    ['RECORDS', 'GET', ''],
    ['SEQUENCE', 'APPLIED'],
  ]);
  if (records instanceof ReplyError && /^(NOAUTH|WRONGPASS|NOPERM)\b/.test(records.message))
    requireReply(records, 'RECORDS', connection.place);
  if (options.usesRecords !== false && Array.isArray(records)) return new RecordReader(connection);
  return new CommandReader(connection, typeof sequence === 'number' ? bySequence : byInfo);
};

/** What a read can see may not be durable yet, and the log shows durable writes alone. */
const bySequence: SequenceQuestion = {
  command: ['SEQUENCE', 'APPLIED'],
  read: (reply) => Number(reply),
};

const byInfo: SequenceQuestion = {
  command: ['INFO', 'keyspace'],
  read: (reply: Reply) => {
    const digits = /^sequence:(\d+)/m.exec(reply instanceof Buffer ? reply.toString() : String(reply))?.[1];
    if (digits === undefined) throw new RangeError('INFO keyspace does not tell a sequence number');
    return Number(digits);
  },
};
