import { CommandContext, type DataCommand, type Reply } from '../data-model/commands/index.js';
import type { Connection } from './connection.js';
import { writeReply } from './reply-encoding.js';

/**
 * Runs a command that looks at every key: on a snapshot, a step at a time, so that other clients are served meanwhile.
 * Where the first step is enough, it is answered at once.
 */
export const runLongRead = (connection: Connection, command: DataCommand, args: readonly Buffer[]): void => {
  const { state, namespace } = connection;
  const snapshot = connection.session.checkpoint === undefined ? state.store.snapshot() : undefined;
  const context = new CommandContext(snapshot ?? connection.context.reader, state.services, namespace);
  const owned = args.map((arg) => Buffer.from(arg));
  const steps = command.steps?.(context, owned);
  let isGone = false;
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    steps?.return(null);
    snapshot?.close();
  };
  /** The reply, when there is nothing left to do. */
  const advance = (): { readonly reply: Reply } | undefined => {
    try {
      const step = steps?.next();
      if (step?.done === false) return undefined;
      close();
      return { reply: step?.value ?? null };
    } catch (error) {
      close();
      throw error;
    }
  };
  const first = advance();
  if (first !== undefined) {
    writeReply(connection.reply, first.reply);
    return;
  }
  connection.suspend({
    isUnderWay: true,
    cancel: () => {
      isGone = true;
      close();
    },
  });
  const goOn = (): void => {
    if (isGone) return;
    try {
      const done = advance();
      if (done === undefined) setImmediate(goOn);
      else connection.release(() => writeReply(connection.reply, done.reply));
    } catch (error) {
      connection.releaseWithError(error, command.name);
    }
  };
  setImmediate(goOn);
};
