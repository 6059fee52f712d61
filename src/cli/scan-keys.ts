import { TailraceError } from '../errors/index.js';
import type { ServerConnection } from '../migration/index.js';

/** The names of the keys of a server's database, those that match `pattern`, some at a time. */
export async function* scanKeys(
  connection: ServerConnection,
  signal: AbortSignal,
  pattern = '*',
): AsyncGenerator<readonly Buffer[]> {
  let cursor = '0';
  do {
    const reply = await connection.call(signal, 'SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000);
    const [next, keys] = Array.isArray(reply) ? reply : [];
    if (!Array.isArray(keys))
      throw new TailraceError('SINK_REFUSED', `${connection.place} refuses SCAN: ${reply}`, {
        context: { sink: connection.place },
        remedy: 'Give a user that may run SCAN, whose keys are looked at.',
      });
    yield keys.filter((key): key is Buffer => key instanceof Buffer);
    cursor = String(next);
  } while (cursor !== '0');
}
