import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { Engine } from '../../engine/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import { inaccessible } from '../../files/index.js';
import { parseRedisUrl, type Reply, ReplyError, type RespAddress, RespConnection } from '../../resp/index.js';
import { type CheckpointAnswer, readReply, runCheckpointRequest } from '../../server/index.js';
import { findServer, type RunningServer } from '../server-file.js';

/**
 * Carries out a request about the checkpoints of a store: of the server that a URL names; of a directory through the
 * server that runs on it, or else in this process.
 */
export const requestCheckpoints = async (
  store: string,
  words: readonly string[],
  password: string | undefined,
): Promise<CheckpointAnswer> => {
  const place = await placeOf(store, password);
  if (place.url !== undefined) return await askServer(place.url, words, password);
  try {
    return await openDirectory(place.directory, words);
  } catch (error) {
    const { directory, unreached } = place;
    throw unreached !== undefined && isTailraceError(error, 'STORE_LOCKED')
      ? behindServer(directory, unreached.server, unreached.reason)
      : error;
  }
};

/** Whether a store is named by its server's address and not by its directory. */
export const isUrl = (store: string): boolean => /^rediss?:\/\//.test(store);

type Place =
  | { readonly url: string }
  | {
      readonly url: undefined;
      readonly directory: string;
      /** The server that is noted in the directory, and why it is not asked. */
      readonly unreached?: { readonly server: RunningServer; readonly reason: TailraceError };
    };

/** The server of a store, when one runs; its directory otherwise. */
const placeOf = async (store: string, password: string | undefined): Promise<Place> => {
  if (isUrl(store)) return { url: store };
  const directory = resolve(store);
  if (!holdsStore(directory)) throw noStore(directory);
  const server = findServer(directory);
  if (server === undefined) return { url: undefined, directory };
  try {
    return (await isServerOf(server, password)) ? { url: server.url } : { url: undefined, directory };
  } catch (error) {
    // Its process may be another one by now, so the directory may be free.
    if (!isTailraceError(error, 'SOURCE_UNREACHABLE')) throw error;
    return { url: undefined, directory, unreached: { server, reason: error } };
  }
};

/**
 * Runs a command that reads at a checkpoint. What is answered is as RESP2 has it, whether a server runs on the store or
 * not: bytes, numbers, null and lists; maps are lists of keys and values in turn.
 */
export const readAtCheckpoint = async (
  store: string,
  reference: string,
  words: readonly string[],
  password: string | undefined,
): Promise<Reply> => {
  const place = await placeOf(store, password);
  if (place.url === undefined) {
    await using engine = await Engine.open(place.directory, { isReadOnly: true });
    return accepted(words, readReply(engine.checkpoints.open(reference), words));
  }
  const { url } = place;
  return await withServer(url, password, async (connection) => {
    const opened = await connection.call('CHECKPOINT', 'OPEN', reference);
    if (opened instanceof ReplyError) throw refused(url, opened);
    return accepted(words, await connection.call(...words));
  });
};

/** @throws TailraceError `FILE_INACCESSIBLE` */
const holdsStore = (directory: string): boolean => {
  try {
    return statSync(join(directory, 'IDENTITY'), { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    throw inaccessible(directory, cause);
  }
};

const openDirectory = async (directory: string, words: readonly string[]): Promise<CheckpointAnswer> => {
  const isReadOnly = words[0] === 'LIST' || words[0] === 'SHOW';
  await using engine = await Engine.open(directory, { isReadOnly });
  const scope = {
    checkpoints: engine.checkpoints,
    creator: 'cli',
    targetPath: (wanted: string) => resolve(wanted),
  };
  return await runCheckpointRequest(scope, words);
};

const askServer = (
  url: string,
  words: readonly string[],
  password: string | undefined,
): Promise<CheckpointAnswer> =>
  withServer(url, password, async (connection) => {
    const reply = await connection.call('CHECKPOINT', ...words);
    if (reply instanceof ReplyError) throw refused(url, reply);
    return JSON.parse(String(reply)) as CheckpointAnswer;
  });

/**
 * False when another process has its number or its port by now.
 * @throws TailraceError `SOURCE_UNREACHABLE`
 */
const isServerOf = ({ url, pid }: RunningServer, password: string | undefined): Promise<boolean> =>
  withServer(url, password, async (connection) => {
    const reply = await connection.call('INFO', 'server');
    if (reply instanceof ReplyError) return true; // it wants a password, which the request itself will be told
    const info = String(reply);
    return info.includes(`process_id:${pid}\r\n`) && info.includes('server_name:tailrace');
  });

/** @throws TailraceError `SOURCE_UNREACHABLE`, also for a connection that is lost on the way */
const withServer = async <T>(
  url: string,
  password: string | undefined,
  ask: (connection: RespConnection) => Promise<T>,
): Promise<T> => {
  const address = parseRedisUrl(url);
  const secret = password ?? address.password ?? process.env['TAILRACE_PASSWORD'];
  const connection = await RespConnection.open(
    secret === undefined ? address : { ...address, password: secret },
  );
  try {
    return await ask(connection);
  } catch (error) {
    const { error: end } = connection;
    throw end !== undefined && error === end ? lost(address, end) : error;
  } finally {
    connection.close();
  }
};

const lost = ({ host, port }: RespAddress, cause: Error): TailraceError =>
  new TailraceError('SOURCE_UNREACHABLE', `lost ${host}:${port}: ${cause.message.trim()}`, {
    context: { host, port },
    remedy: 'Check that the server is running, and whether what was asked for has been done.',
    cause,
  });

const noStore = (directory: string): TailraceError =>
  new TailraceError('FILE_INACCESSIBLE', `${directory} holds no store`, {
    context: { directory },
    remedy: 'Name the directory of a store, or the redis:// URL of its server.',
  });

const behindServer = (directory: string, { url }: RunningServer, cause: TailraceError): TailraceError =>
  new TailraceError(
    'STORE_LOCKED',
    `${directory} is in use by the server ${url}, which cannot be asked: ${cause.message}`,
    {
      context: { directory, url },
      remedy: url.startsWith('rediss:')
        ? `Name the server instead of the directory, with the files of TLS: ${url}?cacert=FILE&cert=FILE&key=FILE.`
        : cause.remedy,
      cause,
    },
  );

/** A server tells the code of an error in words only. */
const refused = (url: string, { message }: ReplyError): TailraceError => {
  const { host } = new URL(url);
  const said = message.replace(/^ERR /, '');
  if (/^unknown command/i.test(said))
    return new TailraceError('SOURCE_UNSUPPORTED', `${host} has no checkpoints: it is no tailrace`, {
      context: { host },
      remedy: 'Name the address of a `tailrace serve`, or the directory of a store.',
    });
  if (/^(NOAUTH|WRONGPASS|NOPERM)/.test(said) || said.includes('administrator'))
    return new TailraceError('SOURCE_REFUSED', `${host}: ${said}`, {
      context: { host },
      remedy: 'Give the password of the administrator, in TAILRACE_PASSWORD or by --password.',
    });
  const isUnknown = said.includes('there is no checkpoint');
  return new TailraceError(isUnknown ? 'CHECKPOINT_NOT_FOUND' : 'SOURCE_REFUSED', `${host}: ${said}`, {
    context: { host },
    remedy: remedies.find(([part]) => said.includes(part))?.[1] ?? generalRemedy,
  });
};

const generalRemedy =
  '`tailrace checkpoint list` shows what there is, `tailrace checkpoint --help` what can be done.';

/** By what the server says: it sends no remedies. */
const remedies: readonly (readonly [string, string])[] = [
  ['is not empty', 'Name a directory that is empty, or not there yet.'],
  ['is not below', 'Name a new place there, or start serve with another --restore-dir.'],
  ['has the name', 'Choose another name, or let --replace give it to the new one.'],
];

const accepted = (words: readonly string[], reply: Reply): Reply => {
  if (!(reply instanceof ReplyError)) return reply;
  const context = { command: words[0] };
  if (reply.code === 'READONLY')
    throw new TailraceError('STORE_READ_ONLY', `${words[0]} does not run at a checkpoint: it writes`, {
      context,
      remedy: 'At a checkpoint only commands that read can run.',
    });
  const remedy = 'The message is what Redis would answer; docs/resp-commands.md lists the commands.';
  throw new TailraceError('COMMAND_REFUSED', reply.message, { context, remedy });
};
