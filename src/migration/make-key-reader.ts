import { defaultNamespace } from '../data-model/index.js';
import { TailraceError } from '../errors/index.js';
import { ReplyError } from '../resp/index.js';
import type { KeyReader } from './key-reader.js';
import { RecordReader } from './record-reader.js';
import { requireReply, type ServerConnection } from './server-connection.js';

/** How keys are read, where that is not to be found out of the server. */
export interface KeyReaderOptions {
  /** False reads keys by the commands of each type, although the server has RECORDS. */
  readonly usesRecords?: boolean;
  /** False reads them one by one without a look at the sequence number: nothing is put in order with a log. */
  readonly hasLog?: boolean;
  /** Keys of more bytes are not read, and told as unsupported; default: none is. */
  readonly largestKeyBytes?: number | undefined;
  /** Default: the default namespace alone. */
  readonly namespaces?: readonly string[] | undefined;
}

/**
 * The way of reading keys that the server has: physical records from tailrace serve, the commands of a Kvrocks with its
 * sequence numbers, or plain commands where there are none.
 * @throws TailraceError `SOURCE_UNREACHABLE` | `SOURCE_REFUSED` | `SOURCE_UNSUPPORTED`
 */
export const makeKeyReader = async (
  connection: ServerConnection,
  signal: AbortSignal,
  options: KeyReaderOptions = {},
): Promise<KeyReader> => {
  const [records, sequence] = await connection.callAll(signal, [
    ['RECORDS', 'GET', ''],
    ['SEQUENCE', 'APPLIED'],
  ]);
  if (records instanceof ReplyError && /^(NOAUTH|WRONGPASS|NOPERM)\b/.test(records.message))
    requireReply(records, 'RECORDS', connection.place);
  const { namespaces = ['default'], largestKeyBytes } = options;
  const isDefaultAlone = namespaces.every((ns) => ns === 'default');
  const tokens = isDefaultAlone ? new Map<string, string>() : await tokensOf(connection, signal);
  const unknown = namespaces.find((ns) => ns !== 'default' && !tokens.has(ns));
  if (unknown !== undefined) throw noNamespace(connection.place, unknown, [...tokens.keys()]);
  if (options.usesRecords !== false && Array.isArray(records))
    return new RecordReader(connection, largestKeyBytes);
  // Which a tailrace as the source need not wait for.
  const { makeCommandReader } = await import('./commands/make-command-reader.js');
  return await makeCommandReader(connection, { ...options, namespaces, tokens, sequence }, signal);
};

/**
 * Whether a server has POLLUPDATES, which Apache Kvrocks has from 2.10 on.
 * @throws TailraceError `SOURCE_UNREACHABLE`
 */
export const hasPollUpdates = async (connection: ServerConnection, signal: AbortSignal): Promise<boolean> => {
  // Far behind the newest: answered by an error that costs nothing.
  const reply = await connection.call(signal, 'POLLUPDATES', Number.MAX_SAFE_INTEGER);
  return !(reply instanceof ReplyError && /unknown command/i.test(reply.message));
};

/**
 * The namespaces of a server beside the default one, with their tokens; only its administrator is told.
 * @throws TailraceError `SOURCE_UNREACHABLE` | `SOURCE_REFUSED`
 */
export const tokensOf = async (
  connection: ServerConnection,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> => {
  const reply = requireReply(
    await connection.call(signal, 'NAMESPACE', 'GET', '*'),
    'NAMESPACE',
    connection.place,
  );
  const words = Array.isArray(reply) ? reply.map(String) : [];
  const tokens = new Map<string, string>();
  for (let at = 0; at + 1 < words.length; at += 2)
    if (words[at] !== defaultNamespace) tokens.set(words[at], words[at + 1]);
  return tokens;
};

const noNamespace = (place: string, ns: string, known: readonly string[]): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${place} has no namespace ${JSON.stringify(ns)}`, {
    context: { server: place, namespace: ns },
    remedy: `It has ${['default', ...known].join(', ')}.`,
  });
