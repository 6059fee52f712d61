import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { type CommandValue, Database } from '../../data-model/commands/index.js';
import { Engine } from '../../engine/index.js';
import { isTailraceError, TailraceError } from '../../errors/index.js';
import { parseRedisUrl, ReplyError, RespConnection } from '../../resp/index.js';
import { type CheckpointAnswer, runCheckpointRequest } from '../../server/index.js';
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
  return place.url === undefined
    ? openDirectory(place.directory, words)
    : askServer(place.url, words, password);
};

type Place = { readonly url: string } | { readonly url: undefined; readonly directory: string };

/** The server of a store, when one runs; its directory otherwise. */
const placeOf = async (store: string, password: string | undefined): Promise<Place> => {
  if (/^rediss?:\/\//.test(store)) return { url: store };
  const directory = resolve(store);
  if (!existsSync(join(directory, 'IDENTITY'))) throw noStore(directory);
  const server = findServer(directory);
  const isServed = server !== undefined && (await isServerOf(server, password));
  return isServed ? { url: server.url } : { url: undefined, directory };
};

/**
 * Runs a command that reads at a checkpoint. What is answered is as RESP2 has it: text, numbers, null and lists; maps
 * are lists of keys and values in turn.
 */
export const readAtCheckpoint = async (
  store: string,
  reference: string,
  words: readonly string[],
  password: string | undefined,
): Promise<unknown> => {
  const place = await placeOf(store, password);
  const [name, ...rest] = words;
  if (place.url === undefined) {
    await using engine = await Engine.open(place.directory, { isReadOnly: true });
    const checkpoint = engine.checkpoints.open(reference);
    return flat(await new Database(checkpoint).call(name, ...rest));
  }
  const connection = await connect(place.url, password);
  try {
    const opened = await connection.call('CHECKPOINT', 'OPEN', reference);
    if (opened instanceof ReplyError) throw refused(place.url, opened);
    const reply = await connection.call(...words);
    if (reply instanceof ReplyError) throw notRead(words, reply);
    return textual(reply);
  } finally {
    connection.close();
  }
};

const flat = (value: CommandValue<string>): unknown => {
  if (value instanceof Map) return [...value].flat().map(flat);
  return Array.isArray(value) ? value.map(flat) : value;
};

const textual = (reply: unknown): unknown => {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(textual) : reply;
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

const askServer = async (
  url: string,
  words: readonly string[],
  password: string | undefined,
): Promise<CheckpointAnswer> => {
  const connection = await connect(url, password);
  try {
    const reply = await connection.call('CHECKPOINT', ...words);
    if (reply instanceof ReplyError) throw refused(url, reply);
    return JSON.parse(String(reply)) as CheckpointAnswer;
  } finally {
    connection.close();
  }
};

/** False when another process has its number or its port by now. */
const isServerOf = async ({ url, pid }: RunningServer, password: string | undefined): Promise<boolean> => {
  let connection: RespConnection;
  try {
    connection = await connect(url, password);
  } catch (error) {
    if (isTailraceError(error) && error.code === 'SOURCE_UNREACHABLE') return false;
    throw error;
  }
  try {
    const reply = await connection.call('INFO', 'server');
    if (reply instanceof ReplyError) return true; // it wants a password, which the request itself will be told
    const info = String(reply);
    return info.includes(`process_id:${pid}\r\n`) && info.includes('server_name:tailrace');
  } finally {
    connection.close();
  }
};

const connect = (url: string, password: string | undefined): Promise<RespConnection> => {
  const address = parseRedisUrl(url);
  const secret = password ?? address.password ?? process.env['TAILRACE_PASSWORD'];
  return RespConnection.open(secret === undefined ? address : { ...address, password: secret });
};

const noStore = (directory: string): TailraceError =>
  new TailraceError('FILE_INACCESSIBLE', `${directory} holds no store`, {
    context: { directory },
    remedy: 'Name the directory of a store, or the redis:// URL of its server.',
  });

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
    remedy: '`tailrace checkpoint list` shows what there is, `tailrace checkpoint --help` what can be done.',
  });
};

const notRead = (words: readonly string[], { message }: ReplyError): TailraceError =>
  new TailraceError('COMMAND_REFUSED', message, {
    context: { command: words[0] },
    remedy: 'At a checkpoint only commands that read can run.',
  });
