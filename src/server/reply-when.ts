import type { Connection } from './connection.js';

/** Answers a command when `work` is done; the client's other commands wait, other clients do not. */
export const replyWhen = <Result>(
  connection: Connection,
  command: string,
  work: Promise<Result>,
  write: (result: Result) => void,
): void => {
  let isGone = false;
  connection.suspend({
    isUnderWay: true,
    cancel: () => {
      isGone = true;
    },
  });
  work.then(
    (result) => {
      if (!isGone) connection.release(() => write(result));
    },
    (error: unknown) => {
      if (!isGone) connection.releaseWithError(error, command);
    },
  );
};
