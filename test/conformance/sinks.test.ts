import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { FileSink } from '../../sinks/file/index.js';
import type { PostgresOptions } from '../../sinks/postgres/index.js';
import { makePostgresSink } from '../../sinks/postgres/make-sink.js';
import { RedisSink } from '../../sinks/redis/index.js';
import { StdoutSink } from '../../sinks/stdout/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import {
  type PostgresService,
  type RedisService,
  startPostgres,
  startRedis,
  throwAwayDirectory,
} from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

const context = pluginContext('conformance');

type JsonBytes = string | { readonly base64: string };
const bytesOf = (value: JsonBytes): Buffer =>
  typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64');

/** What the events of a file leave behind. */
const stateOfEvents = (text: string): Map<string, string> => {
  const state = new Map<string, string>();
  for (const line of text.split('\n').filter((part) => part !== '')) {
    const event = JSON.parse(line) as { key: JsonBytes; value: JsonBytes };
    state.set(bytesOf(event.key).toString('hex'), bytesOf(event.value).toString('hex'));
  }
  return state;
};

let directory = throwAwayDirectory('file-sink');
const file = (): string => join(directory.path, 'out.ndjson');
sinkConformance('file', {
  open: () => new FileSink({ path: file(), source: '', sync: true }, context),
  contents: async () => stateOfEvents(existsSync(file()) ? readFileSync(file(), 'utf8') : ''),
  fencing: 'lock',
  clean: async () => {
    directory.remove();
    directory = throwAwayDirectory('file-sink');
  },
});
afterAll(() => directory.remove());

let stream = new PassThrough();
let written: Buffer[] = [];
const listen = (): void => {
  stream = new PassThrough();
  written = [];
  stream.on('data', (chunk: Buffer) => written.push(chunk));
};
listen();
sinkConformance('stdout', {
  open: () => new StdoutSink({ source: '' }, context, stream),
  contents: async () => stateOfEvents(Buffer.concat(written).toString()),
  fencing: 'none',
  clean: async () => listen(),
});

const largestWordBytes = 2 * 1024 * 1024;
let redis: RedisService;
let client: Redis;
beforeAll(async () => {
  redis = await startRedis(['--proto-max-bulk-len', `${largestWordBytes}`]);
  client = new Redis(redis.url);
});
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});
sinkConformance('redis', {
  open: () =>
    new RedisSink(
      {
        url: redis.url,
        password: '',
        positionKey: 'tailrace:{pipeline}:position',
        namespaces: { default: '' },
      },
      context,
    ),
  contents: async () => {
    const keys = (await client.keysBuffer('*')).filter((key) => !key.toString().startsWith('tailrace:'));
    const state = new Map<string, string>();
    for (const key of keys)
      state.set(key.toString('hex'), (await client.getBuffer(key))?.toString('hex') ?? '');
    return state;
  },
  fencing: 'epoch',
  refusable: { key: Buffer.from('too large'), value: Buffer.alloc(largestWordBytes + 1, 'x') },
  disconnect: () => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  stall: async () => {
    await client.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    return () => client.call('CLIENT', 'UNPAUSE');
  },
  clean: async () => {
    await client.flushall();
  },
});

let postgres: PostgresService;
let database: pg.Client;
beforeAll(async () => {
  postgres = await startPostgres();
  database = new pg.Client(postgres.url);
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await postgres.stop();
});
const postgresOptions: PostgresOptions = {
  url: '',
  password: '',
  mode: 'changelog',
  schema: 'tailrace',
  table: 'changes',
  tables: [],
  keys: 'bytea',
  values: 'bytea',
  sync: 'interval',
  writeTimeout: 10_000,
};
const postgresRows = async (statement: string): Promise<Map<string, string>> => {
  const { rows } = await database.query<{ key: Buffer; value: Buffer }>(statement);
  return new Map(rows.map(({ key, value }) => [key.toString('hex'), value.toString('hex')]));
};
const postgresClean = async (): Promise<void> => {
  await database.query('DROP SCHEMA IF EXISTS tailrace CASCADE');
};
/** Whoever wants to write waits for the row of the positions first. */
const postgresStall = async (): Promise<() => Promise<unknown>> => {
  await database.query('BEGIN');
  await database.query('LOCK TABLE tailrace.positions IN ACCESS EXCLUSIVE MODE');
  return () => database.query('ROLLBACK');
};
sinkConformance('postgres changelog', {
  open: () => makePostgresSink({ ...postgresOptions, url: postgres.url }, context),
  contents: () => postgresRows('SELECT key, value FROM tailrace.changes ORDER BY seq, index'),
  fencing: 'epoch',
  stall: postgresStall,
  clean: postgresClean,
});
sinkConformance('postgres mirror', {
  open: () => makePostgresSink({ ...postgresOptions, mode: 'mirror', url: postgres.url }, context),
  contents: () => postgresRows('SELECT key, value FROM tailrace.strings'),
  fencing: 'epoch',
  // An index holds keys of 2,600 bytes.
  refusable: { key: randomBytes(9_000), value: Buffer.from('whatever') },
  stall: postgresStall,
  clean: postgresClean,
});
