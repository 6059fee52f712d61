import { describe, expect, it } from 'vitest';
import { CommandContext, commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { ErrorReply } from '../../src/data-model/commands/reply.js';
import { Decoder } from '../../src/data-model/decode/decoder.js';
import { ColumnFamily } from '../../src/data-model/encoding/column-family.js';
import { readInternalKey } from '../../src/data-model/encoding/keys.js';
import { LogCommand, readLogData } from '../../src/data-model/encoding/log-data.js';
import { readMetadata } from '../../src/data-model/encoding/metadata.js';
import { TypeNumber } from '../../src/data-model/encoding/type-number.js';
import { toRedisCommands } from '../../src/data-model/redis/redis-commands.js';
import { RecordKind, WriteBatchReader } from '../../src/write-batch/index.js';
import { MemoryStore } from '../support/memory-store.js';
import { readHistoryBatches } from './captured-history.js';
import { readVectors } from './vectors.js';

const nameOf = (numbers: Readonly<Record<string, number>>, wanted: number): string =>
  Object.entries(numbers).find(([, number]) => number === wanted)?.[0] ?? String(wanted);

/** The command that a LogData names, where its type's LogData has one. */
const noteName = (note: Buffer | undefined): string => {
  if (note === undefined) return 'no note';
  const data = readLogData(note);
  if (data === undefined) return `unknown note ${note.toString('latin1')}`;
  const type = data.type ?? 'any';
  const [word] = data.words;
  const isNumbered = (type === 'list' || type === 'bitmap' || type === 'any') && word !== undefined;
  if (isNumbered) return `${type} ${nameOf(LogCommand, Number(word))}`;
  return word === undefined ? type : `${type} ${word}`;
};

/**
 * What a batch is made of, one line for each kind of record in it:
 * `LogData: Put|Delete|DeleteRange family [type of the metadata] [before its elements]`.
 */
const rowsOf = (batch: Buffer): string[] => {
  const reader = new WriteBatchReader(batch);
  const rows: string[] = [];
  let note: Buffer | undefined;
  const records: { kind: string; family: string; type: string; key: string }[] = [];
  const flush = (): void => {
    for (const [at, { kind, family, type, key }] of records.entries()) {
      const isFirst =
        family === 'metadata' && kind === 'Put' && records.slice(at + 1).some((later) => later.key === key);
      rows.push([`${noteName(note)}:`, kind, family, type, isFirst ? 'first' : ''].filter(Boolean).join(' '));
    }
    records.length = 0;
  };
  while (reader.next()) {
    if (reader.kind === RecordKind.LogData) {
      flush();
      note = Buffer.from(reader.value());
      continue;
    }
    const family = nameOf(ColumnFamily, reader.columnFamily);
    const kind = nameOf(RecordKind, reader.kind);
    const isMetadata = reader.columnFamily === ColumnFamily.metadata;
    const type = isMetadata && kind === 'Put' ? (readMetadata(reader.value())?.type ?? 'unreadable') : '';
    const internal = isMetadata ? undefined : readInternalKey(Buffer.from(reader.key()));
    const key = isMetadata
      ? reader.key().subarray(12).toString('hex')
      : (internal?.userKey.toString('hex') ?? '');
    records.push({ kind, family, type, key });
  }
  flush();
  return rows;
};

const captured: readonly Buffer[] = [
  ...(['vectors', 'vectors-namespaces'] as const).flatMap((name) =>
    readVectors(name).flatMap(({ batches = [] }) => batches.map((batch) => Buffer.from(batch, 'hex'))),
  ),
  ...readHistoryBatches(),
];
const capturedRows = new Set(captured.flatMap(rowsOf));

/** What nobody captured: our own commands write it, and it must come back as what they did. */
const own: readonly { readonly lines: readonly string[]; readonly last: string; readonly means: string[] }[] =
  [
    { lines: ['SIADD k 7'], last: 'PEXPIREAT k 4000000000000', means: ['PEXPIREAT k 4000000000000'] },
    { lines: ['PFADD k a'], last: 'PEXPIREAT k 4000000000000', means: ['PEXPIREAT k 4000000000000'] },
    { lines: ['BF.ADD k a'], last: 'PEXPIREAT k 4000000000000', means: ['PEXPIREAT k 4000000000000'] },
    { lines: ['RPUSH k a a'], last: 'LREM k 0 a', means: ['DEL k'] },
    { lines: ['RPUSH k a b'], last: 'LTRIM k 1 0', means: ['DEL k'] },
    { lines: ['SIADD k 7 8'], last: 'RENAME k l', means: ['DEL k', 'DEL l', 'ZADD l 7 7 8 8'] },
    { lines: ['SIADD k 7'], last: 'SIREM k 7', means: ['DEL k'] },
  ];

const run = (context: CommandContext, line: string): Buffer => {
  const args = line.split(' ').map((word) => Buffer.from(word));
  const command = dataCommands.get(String(args[0]).toLowerCase());
  if (command === undefined) throw new Error(`no command ${args[0]}`);
  context.begin();
  const reply = command.run(context, args);
  expect(reply, line).not.toBeInstanceOf(ErrorReply);
  return Buffer.from(context.batch.finish(context.reader.sequence + 1));
};

/** The batches of the lines, the last of which is the one that is looked at. */
const batchesOf = (lines: readonly string[]): Buffer[] => {
  const store = new MemoryStore();
  const context = new CommandContext(store, commandServices());
  return lines.map((line) => {
    const batch = run(context, line);
    store.commit(batch);
    context.settle();
    return batch;
  });
};

const ownRows = new Set(
  own.flatMap(({ lines, last }) => rowsOf(batchesOf([...lines, last]).at(-1) as Buffer)),
);

const collections = ['hash', 'list', 'set', 'zset', 'bitmap', 'sortedint', 'stream'] as const;
const withExpiry = [...collections, 'string', 'json', 'bloom', 'hyperloglog'] as const;
/** Types that RENAME and COPY write whole, the metadata first. Of the others the metadata is all. */
const whole = collections;

/** The rows of the encoding: which LogData stands before which records. */
const rows: readonly string[] = [
  ...withExpiry.map((type) => `any expire: Put metadata ${type}`),
  ...whole.map((type) => `${type}: Put metadata ${type} first`),
  'any: Delete metadata',
  'string: Put metadata string',
  'string: Delete metadata', // RENAME
  'json: Put metadata json',
  ...['Put subKeys', 'Delete subKeys', 'Put metadata hash'].map((row) => `hash: ${row}`),
  ...['lpush', 'rpush', 'linsert', 'lrem', 'lmove'].flatMap((command) => [
    `list ${command}: Put subKeys`,
    `list ${command}: Put metadata list`,
  ]),
  ...['lpop', 'rpop', 'lrem', 'lmove'].flatMap((command) => [
    `list ${command}: Delete subKeys`,
    `list ${command}: Put metadata list`,
    `list ${command}: Delete metadata`,
  ]),
  ...['Delete subKeys', 'Put metadata list'].map((row) => `list ltrim: ${row}`),
  'no note: Delete metadata', // LTRIM of everything
  'list lset: Put subKeys',
  ...['Put subKeys', 'Delete subKeys', 'Put metadata set'].map((row) => `set: ${row}`),
  ...['Put subKeys', 'Put scores', 'Delete subKeys', 'Delete scores', 'Put metadata zset'].map(
    (row) => `zset: ${row}`,
  ),
  ...['Delete subKeys', 'Delete scores', 'Put metadata zset'].map((row) => `no note: ${row}`), // ZREMRANGEBYRANK
  ...['setbit', 'bitop', 'bitfield'].flatMap((command) => [
    `bitmap ${command}: Put subKeys`,
    `bitmap ${command}: Put metadata bitmap`,
  ]),
  ...['Put subKeys', 'Delete subKeys', 'Put metadata sortedint'].map((row) => `sortedint: ${row}`),
  ...['Put streams', 'Delete streams', 'Put metadata stream'].map((row) => `stream: ${row}`),
  'stream XSETID: Put metadata stream',
  ...['createBloomChain', 'insert'].flatMap((command) => [
    `bloom ${command}: Put metadata bloom first`,
    `bloom ${command}: Put subKeys`,
  ]),
  'hyperloglog: Put subKeys',
  'hyperloglog: Put metadata hyperloglog',
  'no note: DeleteRange metadata',
  'no note: Put pubsub',
  'no note: Put propagate',
];

describe('the rows of the encoding', () => {
  it.each(rows)('%s: was captured, or is written by our commands and comes back', (row) => {
    expect(capturedRows.has(row) || ownRows.has(row), row).toBe(true);
  });

  it('name every type, column family and command that a LogData can tell', () => {
    // Of these there is no row that could be told: see unknown-layouts.
    const reported = new Set(['tdigest', 'timeseries', 'search', 'hashFields']);
    const names = [TypeNumber, ColumnFamily, LogCommand].flatMap((numbers) => Object.keys(numbers));
    expect(
      names.filter((name) => !reported.has(name) && !rows.some((row) => row.split(/[ :]+/).includes(name))),
    ).toEqual([]);
  });

  it('are all that was captured', () => {
    const known = new Set(rows);
    // ZREMRANGEBYRANK has no note: in a transaction that of the command before stands over its records. And what leaves a
    // key behind it, or writes one with a single record, is a part of a row above.
    const isPart = (row: string): boolean =>
      /: (Delete (subKeys|scores|metadata)|Put metadata (zset|bitmap|string first)|Put subKeys)$/.test(row);
    expect([...capturedRows].filter((row) => !known.has(row) && !isPart(row))).toEqual([]);
  });

  it.each(own)('$last comes back as what it did', ({ lines, last, means }) => {
    const batches = batchesOf([...lines, last]);
    const decoder = new Decoder();
    const told = batches.map((batch) => decoder.decode(batch)).at(-1);
    expect(told?.undecodable).toEqual([]);
    const commands = toRedisCommands({ changes: told?.changes ?? [] }).commands;
    expect(
      commands.map((command) => command.map((word) => Buffer.from(word).toString('latin1')).join(' ')),
    ).toEqual(means);
  });
});
