import { wrongWords } from '../data-model/commands/index.js';
import type { TableEntry } from './command-table.js';
import { adminRequired } from './commands/namespace-commands.js';
import type { Connection } from './connection.js';

/**
 * Why a command is refused before it runs or is queued, as Redis and Kvrocks say it; undefined when it may.
 * Hot: bench `server`.
 */
export const refusalOf = (
  connection: Connection,
  entry: TableEntry,
  args: readonly Buffer[],
): string | undefined => {
  const { server } = entry;
  const fault = wrongWords(entry, args);
  if (fault !== undefined) return server?.arityError ?? fault.text;
  if (connection.session.mayAll && connection.state.pubSub.isEmpty) return undefined;
  if (!connection.session.isAuthenticated && server?.isOpen !== true)
    return 'NOAUTH Authentication required.';
  if (!connection.session.isAdmin && isAdminOnly(entry)) return adminRequired;
  if (connection.isSubscriber && !connection.reply.isResp3 && server?.isForSubscribers !== true)
    return `ERR Can't execute '${entry.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`;
  if (connection.session.checkpoint !== undefined && isChange(entry)) return readsCheckpoint;
  return undefined;
};

/** What is answered to a command that writes where a checkpoint is read. */
export const readsCheckpoint = 'READONLY this connection reads a checkpoint: CHECKPOINT CLOSE ends that';

const isChange = ({ data, server }: TableEntry): boolean =>
  data?.isWrite ?? server?.flags.includes('write') ?? false;

/** FLUSHALL empties the namespaces of others as well. */
const isAdminOnly = (entry: TableEntry): boolean =>
  entry.server?.isAdmin === true || entry.name === 'flushall';

/**
 * Words of a request of HTTP: a page may have made a browser send one with commands in its body, of which none must be
 * carried out. Redis and Kvrocks look for the same.
 */
export const isHttp = (name: Buffer): boolean => /^(post|host:)$/i.test(name.toString('latin1', 0, 6));

export const unknownCommand = (args: readonly Buffer[]): string => {
  const rest = args.slice(1, 21).map((arg) => `\`${arg.toString('utf8', 0, 128)}\``);
  return `ERR unknown command \`${args[0].toString('utf8', 0, 128)}\`, with args beginning with: ${rest.join(', ')}`;
};
