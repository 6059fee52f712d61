import { KvrocksSource } from '../../../connectors/kvrocks/index.js';
import type { Logger } from '../../kit/index.js';
import {
  type KeyReader,
  type LogSource,
  makeKeyReader,
  ServerConnection,
  whileUnreachable,
} from '../../migration/index.js';
import { parseRedisUrl } from '../../resp/index.js';

export interface SourceOptions {
  readonly url: string;
  readonly password: string;
  /** False reads keys by the commands of each type, although the server has RECORDS. */
  readonly usesRecords: boolean;
  /** Name of the slot for which a tailrace keeps its log; none when nothing is followed. */
  readonly slot?: string;
  readonly logger: Logger;
}

/** A server that data is copied from: its log and its keys. */
export interface SourcePlace extends AsyncDisposable {
  /** Without secrets. */
  readonly name: string;
  readonly log: LogSource;
  readonly keys: KeyReader;
  readonly connection: ServerConnection;
}

/** Connects to a source, and finds out which way of reading keys it has. */
export const openSource = async (options: SourceOptions, signal: AbortSignal): Promise<SourcePlace> => {
  const { url, password, logger } = options;
  const address = parseRedisUrl(url);
  const connection = new ServerConnection(password === '' ? address : { ...address, password });
  const keys = await whileUnreachable(startRetry, logger, signal, () =>
    makeKeyReader(connection, signal, options),
  );
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
    connection,
    [Symbol.asyncDispose]: async () => {
      await keys[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    },
  };
};

/** A server that is just being restarted is waited for; one that is not there is told soon. */
const startRetry = { initialMs: 100, maxMs: 1_000, giveUpAfterMs: 5_000 };

/** An address as it may be shown and kept: without user and password. */
export const placeOfUrl = (url: string): string => url.replace(/\/\/.*@/, '//');
