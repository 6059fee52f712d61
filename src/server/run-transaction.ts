import { CommandTransaction, ErrorReply } from '../data-model/commands/index.js';
import type { Connection } from './connection.js';
import { writeReply } from './reply-encoding.js';
import type { TransactionQueue } from './transaction-queue.js';

/** Runs queued commands as one batch: all or nothing, seen by nobody in between. Nothing in it waits. */
export const runTransaction = (connection: Connection, queue: TransactionQueue): void => {
  const { state, namespace, reply } = connection;
  const transaction = new CommandTransaction(
    connection.session.checkpoint ?? state.store,
    state.services,
    namespace,
  );
  reply.array(queue.commands.length);
  connection.transaction = transaction;
  try {
    for (const { entry, args } of queue.commands) {
      if (entry.data === undefined) entry.server?.run(connection, args);
      else {
        const timeout = entry.data.wait?.timeoutMs(args);
        writeReply(reply, timeout instanceof ErrorReply ? timeout : transaction.run(entry.data, args));
      }
    }
  } finally {
    connection.transaction = undefined;
  }
  if (transaction.batch.count > 0) connection.commit(transaction.batch.finish());
};
