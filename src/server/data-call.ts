import {
  type DataCommand,
  ErrorReply,
  keysOfCall,
  ownReply,
  type Reply,
} from '../data-model/commands/index.js';
import { keyName } from '../data-model/index.js';
import type { BlockedCall } from './blocked-calls.js';
import type { Connection } from './connection.js';
import { runLongRead } from './long-read.js';
import { startTimeout } from './longest-timer.js';
import { writeReply } from './reply-encoding.js';

/**
 * Runs a command on data for a client: at once; in steps where it looks at every key; or, where it finds nothing and
 * may wait, when one of its keys is written. Hot: bench `server`.
 */
export const runDataCall = (connection: Connection, command: DataCommand, args: readonly Buffer[]): void => {
  if (command.steps !== undefined) {
    runLongRead(connection, command, args);
    return;
  }
  const timeoutMs = command.wait?.timeoutMs(args);
  if (timeoutMs instanceof ErrorReply) {
    connection.reply.error(timeoutMs.text);
    return;
  }
  const { context } = connection;
  context.begin();
  const reply = command.run(context, args);
  if (timeoutMs !== undefined && isNothing(reply)) {
    block(connection, command, args, timeoutMs);
    return;
  }
  writeReply(connection.reply, reply); // before the commit: it may borrow from the store
  if (command.isWrite) commitChange(connection, reply);
};

/** Commits what a command has made, unless it was refused. */
const commitChange = (connection: Connection, reply: Reply): void => {
  const { context } = connection;
  if (context.batch.count === 0 || reply instanceof ErrorReply) return;
  connection.commitBuilt(context.batch);
  context.settle();
};

/** Waits for one of the command's keys; 0 ms: without end. */
const block = (
  connection: Connection,
  command: DataCommand,
  args: readonly Buffer[],
  timeoutMs: number,
): void => {
  const { context, namespace, state } = connection;
  const { wait } = command;
  const isPop = wait?.type === 'list' || wait?.type === 'zset';
  const owned = wait?.retryArgs?.(context, args) ?? args.map((arg) => Buffer.from(arg));
  const keys = wait?.keysOf?.(owned) ?? keysOfCall(command, owned);
  const byName = new Map(keys.map((key) => [keyName(namespace, key), key]));
  const call: BlockedCall = {
    names: [...byName.keys()],
    kind: isPop ? command.name : undefined,
    retry: (name) => {
      const written = byName.get(name);
      return retry(connection, command, isPop ? withKeyFirst(owned, keys, written) : owned, written);
    },
  };
  const timeOut = (): void => connection.release(() => connection.reply.nullArray());
  const timer = startTimeout(timeoutMs, timeOut);
  state.blocked.add(call);
  connection.suspend({
    timeOut,
    cancel: () => {
      clearTimeout(timer);
      state.blocked.remove(call);
    },
  });
};

/** Whoever waits for several keys gets from the one that was written first, wherever the call names it. */
const withKeyFirst = (
  args: readonly Buffer[],
  keys: readonly Buffer[],
  written: Buffer | undefined,
): readonly Buffer[] => {
  if (written === undefined || written === keys[0]) return args;
  return args.map((arg) => (arg === keys[0] ? written : arg === written ? keys[0] : arg));
};

/** True when the blocked command is answered. */
const retry = (
  connection: Connection,
  command: DataCommand,
  args: readonly Buffer[],
  written: Buffer | undefined,
): boolean => {
  try {
    const type = command.wait?.type;
    if (type !== undefined && written !== undefined && connection.context.findAny(written)?.type !== type)
      return false;
    connection.context.begin();
    const reply = ownReply(command.run(connection.context, args));
    if (isNothing(reply)) return false;
    commitChange(connection, reply);
    connection.release(() => writeReply(connection.reply, reply));
  } catch (error) {
    connection.releaseWithError(error, command.name);
  }
  return true;
};

const isNothing = (reply: Reply): boolean =>
  reply === null || (typeof reply === 'object' && 'kind' in reply && reply.kind === 'nullArray');
