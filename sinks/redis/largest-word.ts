import type { Change, CommandEncoder, Rejection, RespConnection } from '../../src/kit/index.js';

/** What Redis takes unless it is configured otherwise. */
export const defaultLargestWordBytes = 512 * 1024 * 1024;

/**
 * The longest word of a command that a server takes, in bytes. At a longer one it closes the connection, and would at
 * each new try: so the change is rejected before anything of it is sent.
 */
export const readLargestWord = async (connection: RespConnection): Promise<number> => {
  const reply = await connection.call('CONFIG', 'GET', 'proto-max-bulk-len');
  const bytes = Array.isArray(reply) && reply[1] instanceof Buffer ? Number(reply[1].toString()) : 0;
  return bytes > 0 ? bytes : defaultLargestWordBytes; // not everybody may ask
};

/** The changes with a word that is too long for the target. Only asked when there is that much at all. */
export const rejectTooLarge = (
  transactions: readonly { readonly changes: readonly Change[] }[],
  from: number,
  to: number,
  encoder: CommandEncoder,
  largestWordBytes: number,
): Rejection[] => {
  const reason = `the target takes no more than ${largestWordBytes} bytes in one piece (proto-max-bulk-len)`;
  const rejections: Rejection[] = [];
  for (let transaction = from; transaction < to; transaction++)
    for (const [change, one] of transactions[transaction].changes.entries()) {
      const isTooLarge = encoder
        .toWords({ changes: [one] })
        .some((words) => words.some(({ length }) => length > largestWordBytes));
      if (isTooLarge) rejections.push({ transaction, change, reason });
    }
  return rejections;
};
