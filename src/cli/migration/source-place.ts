import { resolve } from 'node:path';
import { KvrocksSource } from '../../../connectors/kvrocks/index.js';
import { TailraceError } from '../../errors/index.js';
import type { Logger } from '../../kit/index.js';
import {
  hasPollUpdates,
  type KeyReader,
  type LogSource,
  makeKeyReader,
  NoLog,
  RecordReader,
  type RecordSource,
  ServerConnection,
  ServerNames,
  ServerRecords,
  type SourceNames,
  SourceRun,
  tokensOf,
  whileUnreachable,
} from '../../migration/index.js';
import { parseRedisUrl } from '../../resp/index.js';
import { placeOfUrl } from '../place-of-url.js';
import { type CheckpointWish, openCheckpoint } from './checkpoint-place.js';
import { runIdOf } from './target-server.js';

export interface SourceOptions {
  readonly url: string;
  readonly password: string;
  /** False reads keys by the commands of each type, although the server has RECORDS. */
  readonly usesRecords: boolean;
  /** What is to be read; `*` = every namespace that the credentials show. Default: the default namespace. */
  readonly namespaces?: readonly string[] | undefined;
  /**
   * What to do with a server without POLLUPDATES: `refuse` it, `copy` its keys once, without what changes meanwhile, or
   * only `read` it, for a comparison. A server that has it is read in the same way by all.
   */
  readonly withoutLog: 'refuse' | 'copy' | 'read';
  /** Keys of more bytes are not read, and told as unsupported; default: none is. */
  readonly largestKeyBytes?: number | undefined;
  /** Name of the slot for which a tailrace keeps its log; none when nothing is followed. */
  readonly slot?: string;
  /** Where a directory's unmerged writes are put in order; default: the system's directory for temporary files. */
  readonly scratch?: string | undefined;
  /** Reads the keys of a checkpoint. */
  readonly checkpoint?: CheckpointWish | undefined;
  readonly logger: Logger;
}

/** What data is copied from: its log and its keys. */
export interface SourcePlace extends AsyncDisposable {
  /** Without secrets. */
  readonly name: string;
  readonly log: LogSource;
  /** False: changes are not seen, and each key is copied as it is when it is read. */
  readonly hasLog: boolean;
  readonly isTailrace: boolean;
  /** Tells whether the server is still the process that it was; a directory has none. */
  readonly run: SourceRun | undefined;
  /** What a server calls its run; undefined where it has no name for it. */
  readonly runId: string | undefined;
  readonly keys: KeyReader;
  /** Its records as they stand in it, for a target of the same format; undefined where they cannot be read. */
  readonly records: RecordSource | undefined;
  /** The namespaces that are read. */
  readonly namespaces: readonly string[];
  /** Which keys it has. */
  readonly names: SourceNames;
  /** To ask the server other things; a directory has none. */
  readonly connection: ServerConnection | undefined;
  /** All keys are copied: lets go of what held them. */
  readonly onCopied?: (signal: AbortSignal) => Promise<void>;
}

/** Connects to a source, and finds out which way of reading keys it has. */
export const openSource = async (options: SourceOptions, signal: AbortSignal): Promise<SourcePlace> => {
  const { url } = options;
  const directory = directoryOf(url);
  if (directory !== undefined) {
    if (options.checkpoint !== undefined) throw noCheckpoints(placeOfUrl(url));
    // Loads the reader of RocksDB, which a server as the source need not wait for.
    const { openDirectory } = await import('./directory-place.js');
    return await openDirectory(directory, options);
  }
  const place = await openServer(options, signal);
  if (options.checkpoint === undefined) return place;
  try {
    return await atCheckpoint(place, options.checkpoint, options, signal);
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
};

interface ServerPlace extends SourcePlace {
  readonly connection: ServerConnection;
}

const openServer = async (options: SourceOptions, signal: AbortSignal): Promise<ServerPlace> => {
  const { url, password, logger, namespaces: wanted = ['default'] } = options;
  const connection = new ServerConnection(parseRedisUrl(url, password));
  const opened = await whileUnreachable(startRetry, logger, signal, async () => {
    const namespaces = wanted.includes('*')
      ? [...new Set(['default', ...(await tokensOf(connection, signal)).keys()])]
      : wanted;
    const hasLog = await hasPollUpdates(connection, signal);
    if (!hasLog && options.withoutLog === 'refuse') throw noLog(connection.place);
    const isFollowed = hasLog || options.withoutLog === 'read';
    const keys = await makeKeyReader(connection, signal, { ...options, namespaces, hasLog: isFollowed });
    const info = String(await connection.call(signal, 'INFO', 'server'));
    const isTailrace = /^server_name:tailrace/m.test(info);
    return { keys, namespaces, hasLog, isTailrace, runId: runIdOf(info) };
  }).catch((error: unknown) => {
    connection.close();
    throw error;
  });
  const { keys, hasLog } = opened;
  const log = hasLog ? followLog(options) : new NoLog();
  return {
    ...opened,
    name: hasLog ? placeOfUrl(url) : `${placeOfUrl(url)} by SCAN`,
    log,
    records: keys instanceof RecordReader ? new ServerRecords(connection) : undefined,
    names: new ServerNames(connection),
    connection,
    run: new SourceRun(connection),
    [Symbol.asyncDispose]: async () => {
      await keys[Symbol.asyncDispose]();
      connection.close();
      await log[Symbol.asyncDispose]();
    },
  };
};

/** The same place, its keys as a checkpoint has them. */
const atCheckpoint = async (
  place: ServerPlace,
  wish: CheckpointWish,
  { url, password, largestKeyBytes, logger }: SourceOptions,
  signal: AbortSignal,
): Promise<SourcePlace> => {
  const { connection, keys, log } = place;
  if (!(keys instanceof RecordReader) || !(log instanceof KvrocksSource)) throw noCheckpoints(place.name);
  const address = parseRedisUrl(url, password);
  const ends = { address, connection, keys, log, largestKeyBytes, logger };
  const checkpoint = await openCheckpoint(wish, ends, signal);
  if (checkpoint === undefined) return place;
  return {
    ...place,
    keys: checkpoint.keys,
    records: checkpoint.records,
    log: checkpoint.log,
    onCopied: (during) => checkpoint.release(during),
    [Symbol.asyncDispose]: async () => {
      await checkpoint[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
};

/** `dir:PATH`: the data directory of a Kvrocks, or its `db` folder; undefined for another address. */
const directoryOf = (url: string): string | undefined =>
  url.startsWith('dir:') ? resolve(url.slice(4).replace(/^\/\/(?=\/)/, '')) : undefined;

const followLog = ({ url, password, slot, logger }: SourceOptions): KvrocksSource =>
  new KvrocksSource(
    {
      url,
      password,
      pollBatches: 1000,
      idlePollMs: 20,
      answerTimeoutMs: 60_000,
      giveUpAfterMs: 0,
      slot: slot?.replace(/[^\x21-\x7e]/g, '-'),
    },
    { pipeline: 'migrate', log: logger },
  );

const noCheckpoints = (place: string): TailraceError =>
  new TailraceError('USAGE', `the keys of ${place} cannot be read at a checkpoint`, {
    context: { source: place },
    remedy: 'Leave --checkpoint out: only a tailrace has them, and they are read by RECORDS.',
  });

const noLog = (place: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${place} has no POLLUPDATES, by which changes are followed`, {
    context: { source: place },
    remedy:
      'Apache Kvrocks has it from 2.10 on, tailrace serve always. Any other is copied by `migrate --once`: key by key, without what is written meanwhile.',
  });

/** A server that is just being restarted is waited for; one that is not there is told soon. */
const startRetry = { initialMs: 100, maxMs: 1_000, giveUpAfterMs: 5_000 };
