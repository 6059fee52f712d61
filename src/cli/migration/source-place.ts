import { KvrocksSource } from '../../../connectors/kvrocks/index.js';
import type { Logger } from '../../kit/index.js';
import {
  type KeyReader,
  type LogSource,
  makeKeyReader,
  ServerConnection,
  ServerNames,
  type SourceNames,
  tokensOf,
  whileUnreachable,
} from '../../migration/index.js';
import { parseRedisUrl } from '../../resp/index.js';
import { directoryOf, openDirectory } from './directory-place.js';

export interface SourceOptions {
  readonly url: string;
  readonly password: string;
  /** False reads keys by the commands of each type, although the server has RECORDS. */
  readonly usesRecords: boolean;
  /** What is to be read; `*` = every namespace that the credentials show. Default: the default namespace. */
  readonly namespaces?: readonly string[] | undefined;
  /** Name of the slot for which a tailrace keeps its log; none when nothing is followed. */
  readonly slot?: string;
  /** Where a directory's unmerged writes are put in order; default: the system's directory for temporary files. */
  readonly scratch?: string | undefined;
  readonly logger: Logger;
}

/** What data is copied from: its log and its keys. */
export interface SourcePlace extends AsyncDisposable {
  /** Without secrets. */
  readonly name: string;
  readonly log: LogSource;
  readonly keys: KeyReader;
  /** The namespaces that are read. */
  readonly namespaces: readonly string[];
  /** Which keys it has. */
  readonly names: SourceNames;
  /** To ask the server other things; a directory has none. */
  readonly connection: ServerConnection | undefined;
}

/** Connects to a source, and finds out which way of reading keys it has. */
export const openSource = async (options: SourceOptions, signal: AbortSignal): Promise<SourcePlace> => {
  const { url, password, logger } = options;
  const directory = directoryOf(url);
  if (directory !== undefined) return await openDirectory(directory, options);
  const address = parseRedisUrl(url);
  const connection = new ServerConnection(password === '' ? address : { ...address, password });
  const { namespaces: wanted = ['default'] } = options;
  const [keys, namespaces] = await whileUnreachable(startRetry, logger, signal, async () => {
    const names = wanted.includes('*')
      ? [...new Set(['default', ...(await tokensOf(connection, signal)).keys()])]
      : wanted;
    return [await makeKeyReader(connection, signal, { ...options, namespaces: names }), names] as const;
  }).catch((error: unknown) => {
    connection.close();
    throw error;
  });
  const log = new KvrocksSource(
    {
      url,
      password,
      pollBatches: 1000,
      idlePollMs: 20,
      answerTimeoutMs: 60_000,
      giveUpAfterMs: 0,
      slot: options.slot?.replace(/[^\x21-\x7e]/g, '-'),
    },
    { pipeline: 'migrate', log: logger },
  );
  return {
    name: placeOfUrl(url),
    log,
    keys,
    namespaces,
    names: new ServerNames(connection),
    connection,
    [Symbol.asyncDispose]: async () => {
      await keys[Symbol.asyncDispose]();
      connection.close();
      await log[Symbol.asyncDispose]();
    },
  };
};

/** A server that is just being restarted is waited for; one that is not there is told soon. */
const startRetry = { initialMs: 100, maxMs: 1_000, giveUpAfterMs: 5_000 };

/** An address as it may be shown and kept: without user and password. */
export const placeOfUrl = (url: string): string => url.replace(/\/\/.*@/, '//');
