import type { Reply } from '../../resp/index.js';
import type { KeyReader } from '../key-reader.js';
import type { ServerConnection } from '../server-connection.js';
import { CommandReader, type SequenceQuestion } from './command-reader.js';
import { NamespacesReader } from './namespaces-reader.js';
import { ScanReader } from './scan-reader.js';

/** What is known of a server whose keys are read by commands. */
export interface CommandReaderOptions {
  /** False reads keys one by one without a look at the sequence number: nothing is put in order with a log. */
  readonly hasLog?: boolean;
  /** Keys of more bytes are not read, and told as unsupported; default: none is. */
  readonly largestKeyBytes?: number | undefined;
  /** Those that are read. */
  readonly namespaces: readonly string[];
  /** By namespace; the default one has none. */
  readonly tokens: ReadonlyMap<string, string>;
  /** What it answered to `SEQUENCE APPLIED`. */
  readonly sequence: Reply;
}

/** Reads keys by the commands of each type, with the sequence numbers that the server has, or without any. */
export const makeCommandReader = async (
  connection: ServerConnection,
  { hasLog, largestKeyBytes, namespaces, tokens, sequence }: CommandReaderOptions,
  signal: AbortSignal,
): Promise<KeyReader> => {
  const question = hasLog === false ? undefined : await sequenceQuestion(connection, sequence, signal);
  const readerOf = (ns: string): CommandReader | ScanReader => {
    const token = tokens.get(ns);
    const own = token === undefined ? connection : connection.by(token);
    return question === undefined
      ? new ScanReader(own, ns, largestKeyBytes)
      : new CommandReader(own, question, ns, largestKeyBytes);
  };
  if (namespaces.every((ns) => ns === 'default')) return readerOf('default');
  return new NamespacesReader(namespaces.map((ns) => ({ ns, reader: readerOf(ns) })));
};

/** undefined for a server without sequence numbers, such as a Redis. */
const sequenceQuestion = async (
  connection: ServerConnection,
  answer: Reply,
  signal: AbortSignal,
): Promise<SequenceQuestion | undefined> => {
  if (typeof answer === 'number') return bySequence;
  const info = await connection.call(signal, ...byInfo.command);
  return /^sequence:/m.test(String(info)) ? byInfo : undefined;
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
