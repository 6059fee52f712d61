import type { RespConnection } from '../resp/index.js';

/** What servers of Redis' protocol take unless they are configured otherwise. */
export const defaultLargestWordBytes = 512 * 1024 * 1024;

/**
 * The longest word of a command that a server takes, in bytes (`proto-max-bulk-len`). At a longer one it closes the
 * connection, and would at each new try: so what is longer is to be rejected before anything of it is sent.
 */
export const readLargestWord = async (connection: RespConnection): Promise<number> => {
  const reply = await connection.call('CONFIG', 'GET', 'proto-max-bulk-len');
  const bytes = Array.isArray(reply) && reply[1] instanceof Buffer ? Number(reply[1].toString()) : 0;
  return bytes > 0 ? bytes : defaultLargestWordBytes; // not everybody may ask
};
