import { appendRecordsAfter, appendRecordsOf, KeyRecordsWriter } from '../../data-model/index.js';
import type { DataReader } from '../../engine/index.js';
import type { Connection } from '../connection.js';
import type { ServerCommand } from '../server-command.js';
import { rawRecords } from './raw-records-command.js';

/**
 * Keys of all namespaces as the store holds them, for copying a data set while it is written to:
 *
 *   RECORDS SCAN after [COUNT n] [BYTES n] [LARGEST n]    the keys behind `after`; an empty one begins the walk
 *   RECORDS GET key [key ...]                             these keys
 *   RECORDS GETUPTO largest key [key ...]
 *
 * `after` and `key` are metadata keys (`ns_len | namespace | user key`). Behind CHECKPOINT OPEN all of them, and RECORDS RAW,
 * read the checkpoint: every reply is then of the same moment. Answers five things: the sequence number of the
 * newest write that the records contain; where to go on (nil at the end, and for GET); the records as KeyRecordsWriter
 * writes them, each key whole, its metadata before its elements; the metadata keys of those with more bytes than `largest`,
 * which are left out; and that of the newest write in them that is durable by now. One reply is one moment: the keys in it
 * are exactly as they stood at the first of the two numbers.
 */
const records: ServerCommand = {
  name: 'records',
  arity: -3,
  flags: ['readonly'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const verb = args[1].toString('latin1').toUpperCase();
    if (verb === 'SCAN') scanRecords(connection, args[2], args.slice(3));
    else if (verb === 'GET') getRecords(connection, args.slice(2));
    else if (verb === 'GETUPTO') getRecords(connection, args.slice(3), Number(args[2].toString('latin1')));
    else if (verb === 'RAW') rawRecords(connection, args);
    else connection.reply.error('ERR syntax error');
  },
};

const scanRecords = (connection: Connection, after: Buffer, options: readonly Buffer[]): void => {
  let maxKeys = defaultKeys;
  let maxBytes = defaultBytes;
  let largestKeyBytes: number | undefined;
  for (let at = 0; at < options.length; at += 2) {
    const word = options[at].toString('latin1').toUpperCase();
    const value = Number(options[at + 1]?.toString('latin1') ?? Number.NaN);
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
  const page = clearedPage(Math.min(maxBytes, pageBytes) + slackBytes, largestKeyBytes);
  const limit = { maxKeys, maxBytes, nowMs: services.nowMs() };
  const { next } = appendRecordsAfter(store, after, limit, page);
  answer(connection, next, page);
};

/** A page is copied into its reply, so one serves all: memory for each would keep the garbage collector busy. */
const clearedPage = (capacityBytes: number, largestKeyBytes?: number): KeyRecordsWriter => {
  if (usedPage.capacityBytes < capacityBytes || usedPage.capacityBytes > mostKeptBytes)
    usedPage = new KeyRecordsWriter(capacityBytes);
  usedPage.clear(largestKeyBytes);
  return usedPage;
};

let usedPage = new KeyRecordsWriter(0);

const getRecords = (connection: Connection, keys: readonly Buffer[], largestKeyBytes?: number): void => {
  if (Number.isNaN(largestKeyBytes)) {
    connection.reply.error('ERR value is not an integer or out of range');
    return;
  }
  const { services } = connection.state;
  const store = readStore(connection);
  const page = clearedPage(slackBytes, largestKeyBytes);
  const nowMs = services.nowMs();
  for (const key of keys) if (key.length > 0) appendRecordsOf(store, key, nowMs, page);
  answer(connection, undefined, page);
};

/** What is read: the newest data, or behind CHECKPOINT OPEN those of the checkpoint, as of its sequence number. */
const readStore = ({ session, state }: Connection): DataReader => session.checkpoint ?? state.store;

const answer = (connection: Connection, next: Buffer | undefined, page: KeyRecordsWriter): void => {
  const { reply, state } = connection;
  reply.array(5);
  const { sequence } = readStore(connection);
  reply.integer(sequence);
  if (next === undefined) reply.null();
  else reply.bulk(next);
  reply.bulk(page.bytes);
  reply.array(page.leftOut.length);
  for (const key of page.leftOut) reply.bulk(key);
  reply.integer(Math.min(sequence, state.store.durableSequence));
};

const defaultKeys = 1000;
const largestCount = 100_000;
const defaultBytes = 1024 * 1024;
const largestBytes = 64 * 1024 * 1024;
/** A page that grew beyond this is not used again. */
const mostKeptBytes = 8 * 1024 * 1024;
/** Room for a page as most are asked for; it grows where a key needs more. */
const pageBytes = 4 * 1024 * 1024;
const slackBytes = 16 * 1024;

export const recordCommands: readonly ServerCommand[] = [records];
