import type { KvrocksSource } from '../../../connectors/kvrocks/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import type { Logger, Position } from '../../kit/index.js';
import {
  CheckpointReader,
  connectAt,
  createCheckpoint,
  type LogSource,
  RecordReader,
  type RecordSource,
  type ServerConnection,
  ServerRecords,
  type SourceCheckpoint,
  type StateFile,
  showCheckpoint,
} from '../../migration/index.js';
import type { RespAddress } from '../../resp/index.js';

/** Of which checkpoint of the source keys are to be read. */
export interface CheckpointWish {
  /** One that there is; undefined: one is made, and deleted when all keys are copied. */
  readonly name: string | undefined;
  /** What one that is made is called. */
  readonly ownName: string;
  /** Where the log stands of a migration that goes on in the middle of its snapshot; undefined of one that begins. */
  readonly goesOnAt: number | undefined;
}

/** What `--checkpoint` means for what the state file holds; undefined when no keys are left to read. */
export const wishFor = (
  {
    checkpoint,
    name,
    restart = false,
  }: { checkpoint?: string | true | undefined; name: string; restart?: boolean },
  stateFile: StateFile,
): CheckpointWish | undefined => {
  if (checkpoint === undefined) return undefined;
  const last = restart ? undefined : stateFile.load()?.steps.at(-1);
  if (last?.isComplete === true) return undefined;
  return {
    name: checkpoint === true ? undefined : checkpoint,
    ownName: `tailrace-migrate:${name}`,
    goesOnAt: last === undefined ? undefined : (last.log?.sequence ?? 0),
  };
};

/** A source whose keys are read of a checkpoint. */
export interface CheckpointPlace extends AsyncDisposable {
  readonly keys: CheckpointReader;
  readonly records: RecordSource;
  /** Begins where the checkpoint stands. */
  readonly log: LogSource;
  /** All keys are copied. */
  release(signal: AbortSignal): Promise<void>;
}

export interface CheckpointEnds {
  readonly address: RespAddress;
  readonly connection: ServerConnection;
  readonly keys: RecordReader;
  readonly log: KvrocksSource;
  readonly largestKeyBytes?: number | undefined;
  readonly logger: Logger;
}

/**
 * Finds or makes the checkpoint; undefined when the one that a migration had made for itself is gone: it goes on with the keys
 * as they are now, which is as right.
 * @throws TailraceError `CHECKPOINT_NOT_FOUND` | `USAGE` for one that does not fit what was copied already, and more
 */
export const openCheckpoint = async (
  wish: CheckpointWish,
  ends: CheckpointEnds,
  signal: AbortSignal,
): Promise<CheckpointPlace | undefined> => {
  const { address, connection, log, logger } = ends;
  const found = await chooseCheckpoint(wish, connection, signal);
  if (found === undefined) {
    logger.warn('the checkpoint is gone: going on with the keys as they are now', {
      checkpoint: wish.ownName,
    });
    return undefined;
  }
  const isOwn = wish.name === undefined;
  logger.info('reading a checkpoint', { checkpoint: found.name, sequence: found.sequence });
  const reading = connectAt(address, found);
  const keepAlive = isOwn
    ? setInterval(() => {
        // Refreshed again in a while; whoever reads finds out what is wrong.
        connection.call(signal, 'CHECKPOINT', 'REFRESH', found.id).catch(() => undefined);
      }, keepAliveMs)
    : undefined;
  keepAlive?.unref();
  return {
    keys: new CheckpointReader(new RecordReader(reading, ends.largestKeyBytes), ends.keys),
    records: new ServerRecords(reading),
    log: beginningAt(log, found),
    release: async (during) => {
      clearInterval(keepAlive);
      reading.close();
      if (!isOwn) return;
      await connection.call(during, 'CHECKPOINT', 'DELETE', found.id).then(
        () => logger.info('deleted the checkpoint', { checkpoint: found.name }),
        (error: unknown) => {
          during.throwIfAborted();
          logger.warn('the checkpoint goes by itself, in a day', {
            checkpoint: found.name,
            reason: `${error}`,
          });
        },
      );
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(keepAlive);
      reading.close();
    },
  };
};

const chooseCheckpoint = async (
  { name, ownName, goesOnAt }: CheckpointWish,
  connection: ServerConnection,
  signal: AbortSignal,
): Promise<SourceCheckpoint | undefined> => {
  if (name === undefined && goesOnAt === undefined)
    return await createCheckpoint(connection, ownName, signal);
  try {
    const found = await showCheckpoint(connection, name ?? ownName, signal);
    if (goesOnAt === undefined || found.sequence === goesOnAt) return found;
    if (name !== undefined) throw doesNotFit(found, goesOnAt);
  } catch (error) {
    if (name !== undefined || !isTailraceError(error, 'CHECKPOINT_NOT_FOUND')) throw error;
  }
  return undefined;
};

/** The log of a source, which a migration begins where the checkpoint stands. */
const beginningAt = (log: KvrocksSource, checkpoint: SourceCheckpoint): LogSource => ({
  newestPosition: async (signal): Promise<Position | null> => {
    try {
      return await log.positionAt(checkpoint.sequence, signal);
    } catch (error) {
      if (!isTailraceError(error, 'WAL_PURGED')) throw error;
      throw new TailraceError('WAL_PURGED', `behind checkpoint ${checkpoint.name}: ${error.message}`, {
        context: { ...error.context, checkpoint: checkpoint.name },
        remedy:
          'Without the log behind it nothing can be followed: make one that holds the log (CHECKPOINT CREATE NAME … HOLDLOG), or leave the name out.',
        cause: error,
      });
    }
  },
  // Keys that were read at an earlier moment than that to which the log was brought would be taken for newer ones.
  open: async (start, signal) => {
    const at = start.kind === 'after' ? start.position.sequence : 0;
    if (at !== checkpoint.sequence) throw doesNotFit(checkpoint, at);
    await log.open(start, signal);
  },
  pull: (limit, signal) => log.pull(limit, signal),
  acknowledge: (position) => log.acknowledge(position),
  [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
});

const doesNotFit = ({ name, sequence }: SourceCheckpoint, goesOnAt: number): TailraceError =>
  new TailraceError(
    'USAGE',
    `checkpoint ${name} is of sequence number ${sequence}, the migration was begun at ${goesOnAt}`,
    {
      context: { checkpoint: name },
      remedy:
        'Leave --checkpoint out: it goes on with the keys as they are now. Or start over with --restart.',
    },
  );

const keepAliveMs = 10 * 60_000;
