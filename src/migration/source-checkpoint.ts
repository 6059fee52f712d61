import { TailraceError } from '../errors/index.js';
import { type Reply, ReplyError, type RespAddress, type RespConnection } from '../resp/index.js';
import { requireReply, ServerConnection } from './server-connection.js';

/** A checkpoint of a tailrace, of which keys are read. */
export interface SourceCheckpoint {
  readonly id: string;
  readonly name: string;
  /** The last sequence number in it. */
  readonly sequence: number;
}

/**
 * The live checkpoint of that name, or of that id.
 * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `SOURCE_UNSUPPORTED` | `SOURCE_REFUSED` | `SOURCE_UNREACHABLE`
 */
export const showCheckpoint = async (
  connection: ServerConnection,
  reference: string,
  signal: AbortSignal,
): Promise<SourceCheckpoint> => {
  const reply = await connection.call(signal, 'CHECKPOINT', 'SHOW', reference);
  if (reply instanceof ReplyError && /no checkpoint|expired/.test(reply.message))
    throw notFound(connection.place, reference);
  return readCheckpoint(requireReply(reply, 'CHECKPOINT', connection.place), connection.place);
};

/**
 * Makes a checkpoint of what the source holds now, in place of an earlier one of that name; the source keeps its log behind
 * it. It goes by itself when it has not been kept alive for a day.
 * @throws TailraceError `SOURCE_UNSUPPORTED` | `SOURCE_REFUSED` | `SOURCE_UNREACHABLE`
 */
export const createCheckpoint = async (
  connection: ServerConnection,
  name: string,
  signal: AbortSignal,
): Promise<SourceCheckpoint> => {
  const words = ['CREATE', 'NAME', name, 'LIFETIME', '1d', 'REPLACE', 'HOLDLOG'];
  const reply = await connection.call(signal, 'CHECKPOINT', ...words);
  return readCheckpoint(requireReply(reply, 'CHECKPOINT CREATE', connection.place), connection.place);
};

/** A connection whose reads are of the checkpoint, also after it was lost and opened again. */
export const connectAt = (address: RespAddress, checkpoint: SourceCheckpoint): ServerConnection => {
  const place = `${address.host}:${address.port}`;
  return new ServerConnection(address, async (connection: RespConnection) => {
    const reply = await connection.call('CHECKPOINT', 'OPEN', checkpoint.id);
    if (reply instanceof ReplyError && /no checkpoint|expired/.test(reply.message))
      throw notFound(place, checkpoint.name);
    const { sequence } = readCheckpoint(requireReply(reply, 'CHECKPOINT OPEN', place), place);
    if (sequence === checkpoint.sequence) return;
    throw new TailraceError(
      'CHECKPOINT_NOT_FOUND',
      `checkpoint ${checkpoint.name} of ${place} was advanced from ${checkpoint.sequence} to ${sequence}`,
      { context: { server: place, checkpoint: checkpoint.name }, remedy: startOver },
    );
  });
};

const readCheckpoint = (reply: Reply, place: string): SourceCheckpoint => {
  const told: unknown = JSON.parse(String(reply));
  if (typeof told === 'object' && told !== null && 'id' in told && 'sequence' in told) {
    const { id, sequence } = told;
    const name = 'name' in told && typeof told.name === 'string' ? told.name : undefined;
    if (typeof id === 'string' && typeof sequence === 'number') return { id, sequence, name: name ?? id };
  }
  throw new RangeError(`an answer of ${place} to CHECKPOINT that is no checkpoint`);
};

const notFound = (place: string, name: string): TailraceError =>
  new TailraceError('CHECKPOINT_NOT_FOUND', `${place} has no checkpoint ${name}, or it has expired`, {
    context: { server: place, checkpoint: name },
    remedy: startOver,
  });

const startOver =
  'CHECKPOINT LIST names those that there are. A migration that was begun with it goes on without --checkpoint, with keys as they are now, or starts over with --restart.';
