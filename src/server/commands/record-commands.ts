import { appendRecordsAfter, appendRecordsOf, KeyRecordsWriter } from '../../data-model/index.js';
import type { DataReader } from '../../engine/index.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { rawRecords } from './raw-records-command.js';

/**
 * RECORDS SCAN after [COUNT n] [BYTES n] [LARGEST n], RECORDS GET key [key ...] and RECORDS GETUPTO largest key [key ...]:
 * keys of all namespaces as the store holds them, for copying a data set while it is written to. `after` and `key` are
 * metadata keys (`ns_len | namespace | user key`); an empty `after` begins the walk. Behind CHECKPOINT OPEN all of them, and
 * RECORDS RAW, read the checkpoint: every reply is then of the same moment.
 *
 * Answers three things: the sequence number of the newest write that the records contain (it may not be durable yet), where
 * to go on (nil at the end, and for GET), and the records as KeyRecordsWriter writes them, each key whole, its metadata
 * before its elements. With LARGEST a fourth: the metadata keys of those that have more bytes, which are left out. One
 * reply is one moment: the keys in it are exactly as they stood at that sequence number.
 */
const records: ServerCommand = {
  name: 'records',
  arity: -3,
  flags: ['readonly'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const verb = args[1].toString('latin1').toUpperCase();
    if (verb === 'SCAN') scanRecords(connection, args);
    else if (verb === 'GET') getRecords(connection, args.slice(2));
    else if (verb === 'GETUPTO') getRecords(connection, args.slice(3), Number(args[2].toString('latin1')));
    else if (verb === 'RAW') rawRecords(connection, args);
    else connection.reply.error('ERR syntax error');
  },
};

const scanRecords = (connection: Connection, args: readonly Buffer[]): void => {
  let maxKeys = defaultKeys;
  let maxBytes = defaultBytes;
  let largestKeyBytes: number | undefined;
  for (let at = 3; at < args.length; at += 2) {
    const word = args[at].toString('latin1').toUpperCase();
    const value = Number(args[at + 1]?.toString('latin1') ?? Number.NaN);
    if (word !== 'COUNT' && word !== 'BYTES' && word !== 'LARGEST') {
      connection.reply.error('ERR syntax error');
      return;
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      connection.reply.error('ERR value is not an integer or out of range');
      return;
    }
    if (word === 'COUNT') maxKeys = Math.min(value, largestCount);
    else if (word === 'LARGEST') largestKeyBytes = value;
    else maxBytes = Math.min(value, largestBytes);
  }
  const { services } = connection.state;
  const store = readStore(connection);
  const page = new KeyRecordsWriter(Math.min(maxBytes, pageBytes) + slackBytes, largestKeyBytes);
  const limit = { maxKeys, maxBytes, nowMs: services.nowMs() };
  const { next } = appendRecordsAfter(store, args[2], limit, page);
  answer(connection, next, page, largestKeyBytes !== undefined);
};

const getRecords = (connection: Connection, keys: readonly Buffer[], largestKeyBytes?: number): void => {
  if (Number.isNaN(largestKeyBytes)) {
    connection.reply.error('ERR value is not an integer or out of range');
    return;
  }
  const { services } = connection.state;
  const store = readStore(connection);
  const page = new KeyRecordsWriter(slackBytes, largestKeyBytes);
  const nowMs = services.nowMs();
  for (const key of keys) if (key.length > 0) appendRecordsOf(store, key, nowMs, page);
  answer(connection, undefined, page, largestKeyBytes !== undefined);
};

/** What is read: the newest data, or behind CHECKPOINT OPEN those of the checkpoint, as of its sequence number. */
const readStore = ({ session, state }: Connection): DataReader => session.checkpoint ?? state.store;

const answer = (
  connection: Connection,
  next: Buffer | undefined,
  page: KeyRecordsWriter,
  tellsLeftOut: boolean,
): void => {
  const { reply } = connection;
  reply.array(tellsLeftOut ? 4 : 3);
  reply.integer(readStore(connection).sequence);
  if (next === undefined) reply.null();
  else reply.bulk(next);
  reply.bulk(page.bytes);
  if (!tellsLeftOut) return;
  reply.array(page.leftOut.length);
  for (const key of page.leftOut) reply.bulk(key);
};

const defaultKeys = 1000;
const largestCount = 100_000;
const defaultBytes = 1024 * 1024;
const largestBytes = 64 * 1024 * 1024;
/** Room for a page as most are asked for; it grows where a key needs more. */
const pageBytes = 4 * 1024 * 1024;
const slackBytes = 16 * 1024;

export const recordCommands: readonly ServerCommand[] = [records];
