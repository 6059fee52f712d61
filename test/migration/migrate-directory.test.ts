import { appendFileSync, cpSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ColumnFamily,
  encodeMetadataKey,
  encodeSubKeyPrefix,
  namespacePrefix,
} from '../../src/data-model/index.js';
import { Engine, LogFramer } from '../../src/engine/index.js';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { Server } from '../../src/server/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { readLastingHistory } from '../data-model/captured-history.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { KvrocksDirectory } from '../support/kvrocks-directory.js';
import type { ProgramResult } from '../support/run-program.js';
import { runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('migrate-directory');
const batches = readLastingHistory();
const third = Math.floor(batches.length / 3);
let service: RedisService;
let target: RespConnection;
/** The first third of the history is in tables, the second in a log. */
let stopped: KvrocksDirectory;
beforeAll(async () => {
  service = await startRedis();
  target = await RespConnection.open(parseRedisUrl(service.url));
  stopped = new KvrocksDirectory(join(directory.path, 'stopped'));
  stopped.writeLog(batches.slice(0, third));
  stopped.compact(['default', 'metadata', 'zset_score', 'stream'], '--compression_type=snappy');
  stopped.writeLog(batches.slice(third, 2 * third));
});
afterAll(async () => {
  target.close();
  await service.stop();
  directory.remove();
});
beforeEach(async () => {
  await target.call('FLUSHALL');
});

/** The state after so much of the history, as a server of ours tells it. */
const stateAfter = async (count: number): Promise<Record<string, unknown>> => {
  const store = throwAwayDirectory('migrate-directory-expected');
  const engine = await Engine.open(store.path, { sync: 'none' });
  for (const batch of batches.slice(0, count)) engine.commit(Buffer.from(batch));
  const server = await Server.listen(engine, { port: 0 });
  const connection = await RespConnection.open({ host: '127.0.0.1', port: server.port });
  const state = await readDataState(connection);
  connection.close();
  await server.close();
  await engine.close();
  store.remove();
  return state;
};

const targetState = (name: string): Promise<Record<string, unknown>> =>
  readDataState(target, (key) => key.startsWith(`tailrace:${name}:position`));

const words = (path: string, name: string): string[] => [
  ...['--from', `dir:${path}`, '--to', service.url],
  ...['--name', name, '--state', join(directory.path, `${name}.json`)],
];

const run = (command: string, ...options: string[]): Promise<ProgramResult> =>
  runTailrace(command, ...options);

describe('a migration from the data directory of a Kvrocks', () => {
  it('copies what a stopped one holds, exactly, and verifies it', async () => {
    const migrated = await run('migrate', ...words(stopped.path, 'copied'), '--verify');
    expect(migrated.status, migrated.stderr).toBe(0);
    expect(migrated.stdout).toContain('the same: 0 differences');
    const state = await stateAfter(2 * third);
    expect(Object.keys(state).length).toBeGreaterThan(100);
    expect(await targetState('copied')).toEqual(state);

    await target.call('SET', 'extra', 'x');
    const different = await run(
      'verify',
      '--from',
      `dir:${stopped.path}`,
      '--to',
      service.url,
      '--name',
      'copied',
      '--settle',
      '100',
    );
    expect(different.status).toBe(3);
    expect(different.stdout).toMatch(/extra\s+default\s+"extra"/);
  });

  it('follows the log files that a live one goes on writing', async () => {
    const path = join(directory.path, 'live');
    cpSync(stopped.path, path, { recursive: true });
    const log = new LiveLog(path);
    const migrator = new TailraceProcess(['migrate', ...words(path, 'live'), '--follow'], directory.path);
    migrator.start();
    try {
      for (let at = 2 * third; at < batches.length; at += 200) {
        log.append(batches.slice(at, at + 200));
        // Some is read while the snapshot is under way, some behind it.
        if (at === 2 * third + 1000)
          await waitUntil('it has begun', () => migrator.said.includes('migration '));
        if (at === 2 * third + 1600) await migrator.killAndRestart();
      }
      const state = await stateAfter(batches.length);
      await waitUntil('the target has everything', async () => {
        if (migrator.failure !== undefined) throw new Error(migrator.failure);
        return (await target.call('DBSIZE')) === Object.keys(state).length + 1;
      });
      const cut = await run('cutover', ...words(path, 'live'), '--quiet-for', '200', '--json');
      expect(cut.status, cut.stderr).toBe(0);
      expect(JSON.parse(cut.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
        event: 'cutover',
        sequence: 28_638,
        isSame: true,
      });
      expect(await targetState('live')).toEqual(state);
    } finally {
      await migrator.kill();
    }
  });

  it('reads a key again as it is by then, long behind the moment at which the directory was opened', async () => {
    const made = new KvrocksDirectory(join(directory.path, 'again'));
    made.writeLog([batchOfSession(1, 0, { f: 'before', g: 'v' })]);
    const log = new LiveLog(made.path);
    const migrator = new TailraceProcess(
      ['migrate', ...words(made.path, 'again'), '--follow'],
      directory.path,
    );
    migrator.start();
    const value = async (): Promise<string> => {
      if (migrator.failure !== undefined) throw new Error(migrator.failure);
      return String(await target.call('HGET', 'session', 'f'));
    };
    try {
      await waitUntil('it is copied', async () => (await value()) === 'before');
      // Of an expiry that has passed the log does not tell what became of it.
      for (const [first, later] of ['put off', 'once more'].entries()) {
        const at = 4 + 3 * first;
        log.append([batchOfSession(at, Date.now() - 1000, {}), batchOfSession(at + 1, 0, { f: later })]);
        await waitUntil('it is read again', async () => (await value()) === later);
      }
      expect(await target.call('PTTL', 'session')).toBe(-1);
    } finally {
      await migrator.kill();
    }
  });

  it('names what a newer one holds and cannot be told, and leaves it out when it is told to', async () => {
    const newer = new KvrocksDirectory(join(directory.path, 'newer'));
    newer.writeLog([batchOfNewer()]);
    newer.compact(['default', 'metadata']);
    const refused = await run('migrate', ...words(newer.path, 'newer'));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(
      'the key "expiring" cannot be copied: a field of a hash expires by itself',
    );
    expect(refused.stderr).toContain('DECODE_UNSUPPORTED');
    await target.call('FLUSHALL');
    const skipping = await run(
      'migrate',
      ...words(newer.path, 'newer-skipped'),
      '--skip-unsupported',
      '--json',
    );
    expect(skipping.status, skipping.stderr).toBe(0);
    for (const name of ['sketch', 'fourteenth', 'expiring'])
      expect(skipping.stdout + skipping.stderr).toContain(name);
    expect(Object.keys(await targetState('newer-skipped')).sort()).toEqual(['lasting', 'plain']);
    expect(String(await target.call('HGET', 'lasting', 'f'))).toBe('v');
  });

  it('says what is wrong with a directory', async () => {
    const none = await run('migrate', ...words(join(directory.path, 'nowhere'), 'none'));
    expect(none.status).toBe(1);
    expect(none.stderr).toContain('holds no store');
    const store = join(directory.path, 'ours');
    await (await Engine.open(store, { sync: 'none' })).close();
    const ours = await run('migrate', ...words(store, 'ours'));
    expect(ours.status).toBe(1);
    expect(ours.stderr).toContain('is a store of tailrace');
  });
});

/** What a hash of two fields is, and the values of those that are written. */
const batchOfSession = (sequence: number, expireMs: number, fields: Record<string, string>): Buffer => {
  const prefix = namespacePrefix('__namespace');
  const key = Buffer.from('session');
  const version = Buffer.from('0000000000000007', 'hex');
  const expiry = Buffer.alloc(8);
  expiry.writeBigUInt64BE(BigInt(expireMs));
  const size = Buffer.from('0000000000000002', 'hex');
  const batch = new WriteBatchBuilder();
  const metadata = Buffer.concat([Buffer.of(0x82), expiry, version, size]);
  batch.put(ColumnFamily.metadata, encodeMetadataKey(prefix, key), metadata);
  for (const [field, value] of Object.entries(fields)) {
    const name = Buffer.concat([encodeSubKeyPrefix(prefix, key, version), Buffer.from(field)]);
    batch.put(ColumnFamily.subKeys, name, Buffer.from(value));
  }
  return Buffer.from(batch.finish(sequence));
};

/** A string; a t-digest; a type that has no name yet; two hashes with room for expiring fields, of which one has some. */
const batchOfNewer = (): Buffer => {
  const prefix = namespacePrefix('__namespace');
  const version = Buffer.from('0000000000000007', 'hex');
  const u64 = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes;
  };
  const metadata = (flags: number, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.of(flags), u64(0), version, u64(1), payload]);
  const hash = (persistent: number): Buffer =>
    metadata(0x82, Buffer.concat([Buffer.of(1), u64(persistent), u64(0), u64(0)]));
  const batch = new WriteBatchBuilder();
  const put = (name: string, value: Buffer): void => {
    batch.put(ColumnFamily.metadata, encodeMetadataKey(prefix, Buffer.from(name)), value);
  };
  const putField = (name: string, expireMs: number): void => {
    const key = Buffer.concat([encodeSubKeyPrefix(prefix, Buffer.from(name), version), Buffer.from('f')]);
    batch.put(ColumnFamily.subKeys, key, Buffer.concat([u64(expireMs), Buffer.from('v')]));
  };
  put('plain', Buffer.concat([Buffer.of(0x81), u64(0), Buffer.from('v')]));
  put('sketch', metadata(0x8c, Buffer.alloc(72)));
  put('fourteenth', metadata(0x8e, Buffer.alloc(8)));
  put('lasting', hash(1));
  putField('lasting', 0);
  put('expiring', hash(0));
  putField('expiring', 4e12);
  return Buffer.from(batch.finish(1));
};

/** Appends to the newest log file, as its writer does. */
class LiveLog {
  readonly #framer = new LogFramer();
  readonly #path: string;

  constructor(path: string) {
    const logs = readdirSync(path).filter((name) => name.endsWith('.log'));
    this.#path = join(path, logs.sort().at(-1) ?? '');
    this.#framer.restart(statSync(this.#path).size);
  }

  append(batches: readonly Uint8Array[]): void {
    const from = this.#framer.endOffset;
    this.#framer.restart(from);
    for (const batch of batches) this.#framer.append(batch);
    appendFileSync(this.#path, this.#framer.bytes);
  }
}
