import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, type CheckpointInfo, Engine } from '../../src/engine/index.js';
import { Server } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('checkpoint-commands');
let engine: Engine;
let server: Server;
let client: Redis;
beforeAll(async () => {
  engine = await Engine.open(join(directory.path, 'store'), { sync: 'none' });
  server = await Server.listen(engine, { port: 0 });
  client = new Redis(server.port);
});
afterAll(async () => {
  client.disconnect();
  await server.close();
  await engine.close();
  directory.remove();
});

const asked = async <Answer>(...words: string[]): Promise<Answer> =>
  JSON.parse(String(await client.call('CHECKPOINT', ...words))) as Answer;

describe('CHECKPOINT', () => {
  it('creates, lists, shows, refreshes and deletes, by name, id and its beginning', async () => {
    await client.set('key', 'one');
    const first = await asked<Checkpoint>(
      'create',
      'name',
      'base',
      'lifetime',
      '2h',
      'label',
      'why',
      'a test',
      'holdlog',
    );
    expect(first).toMatchObject({
      name: 'base',
      sequence: 1,
      lifetimeMs: 7_200_000,
      holdsLog: true,
      labels: { why: 'a test' },
      creator: 'resp',
    });
    await client.set('key', 'two');
    await expect(asked('CREATE', 'NAME', 'base', 'UNIQUE')).rejects.toThrow(/has the name base/);
    const copy = await asked<Checkpoint>('CREATE', 'NAME', 'copy', 'SOURCE', 'base');
    expect(copy).toMatchObject({ name: 'copy', sequence: 1, expires: null });
    const listed = await asked<CheckpointInfo[]>('LIST');
    expect(listed.map(({ name }) => name).sort()).toEqual(['base', 'copy']);
    expect(await asked('LIST', 'NAME', 'copy', 'STATE', 'live')).toMatchObject([{ id: copy.id }]);
    expect(await asked('LIST', 'LABEL', 'why', 'a test')).toMatchObject([{ id: first.id }]);
    expect(await asked('LIST', 'LABEL', 'why', 'other')).toEqual([]);
    expect(await asked('SHOW', first.id.slice(0, 6))).toMatchObject({ id: first.id, state: 'live' });
    const advanced = await asked<Checkpoint>('REFRESH', 'base', 'ADVANCE', 'NEVER');
    expect(advanced).toMatchObject({ id: first.id, sequence: 2, generation: 2, expires: null });
    expect(await asked('DELETE', 'base')).toMatchObject({ id: first.id });
    await expect(asked('SHOW', first.id)).rejects.toThrow(/no checkpoint/);
  });

  it('restores beside the store, and nowhere else', async () => {
    await client.set('key', 'kept');
    const made = await asked<Checkpoint>('CREATE', 'NAME', 'kept');
    await client.set('key', 'lost');
    const restored = join(directory.path, 'restored');
    expect(await asked('RESTORE', 'kept', 'restored')).toMatchObject({
      directory: restored,
      sequence: made.sequence,
    });
    for (const place of ['..', '../elsewhere', '/tmp/elsewhere', '.', 'missing/below'])
      await expect(asked('RESTORE', 'kept', place)).rejects.toThrow(/is not below|cannot access/);
    await expect(asked('RESTORE', 'kept', 'store')).rejects.toThrow(/not empty/);
    expect(await asked('EXPORT', 'kept', 'kept.checkpoint')).toMatchObject({ baseSequence: null });
    await expect(asked('EXPORT', 'kept', '../kept.checkpoint')).rejects.toThrow(/is not below/);
    await expect(asked('EXPORT', 'kept', 'kept.checkpoint')).rejects.toThrow(/kept.checkpoint/);
    expect(existsSync('/tmp/elsewhere')).toBe(false);
    await using again = await Engine.open(restored);
    await using second = await Server.listen(again, { port: 0 });
    const reader = new Redis(second.port);
    expect(await reader.get('key')).toBe('kept');
    reader.disconnect();
  });

  it('lets RECORDS of a connection that has one open read it, page by page, as of its moment', async () => {
    for (let at = 0; at < 50; at++) await client.rpush(`listed:${at}`, 'a', 'b');
    const made = await asked<Checkpoint>('CREATE', 'NAME', 'walked');
    const [now, then] = [new Redis(server.port), new Redis(server.port)];
    await then.call('CHECKPOINT', 'OPEN', 'walked');
    const key = Buffer.from('\u000b__namespacelisted:7', 'latin1');
    const walk = async (reader: Redis, ...words: readonly string[]): Promise<unknown[]> => {
      const pages: unknown[] = [];
      for (let after: Buffer | null = Buffer.alloc(0); after !== null; ) {
        const reply = (await reader.callBuffer('RECORDS', [words[0], after, ...words.slice(1)])) as unknown[];
        pages.push(reply[0], reply[2]);
        after = reply[1] as Buffer | null;
      }
      return pages;
    };
    /** Without the last answer, how far the store is durable now. */
    const asOfItsMoment = async (reader: Redis, ...words: readonly (string | Buffer)[]): Promise<unknown[]> =>
      ((await reader.callBuffer('RECORDS', [...words])) as unknown[]).slice(0, 4);
    const asks: readonly ((reader: Redis) => Promise<unknown[]>)[] = [
      (reader) => walk(reader, 'SCAN', 'COUNT', '20'),
      (reader) => walk(reader, 'RAW', 'BYTES', '500'),
      (reader) => asOfItsMoment(reader, 'GET', key),
      (reader) => asOfItsMoment(reader, 'GETUPTO', '1000', key),
    ];
    for (const ask of asks) {
      await client.del('listed:8');
      await client.rpush('listed:7', 'c');
      const before = await ask(then);
      await client.rpush('listed:7', 'd');
      await client.rpush('listed:8', 'd');
      expect(await ask(then)).toEqual(before);
      expect(await ask(now)).not.toEqual(before);
      expect(before[0]).toBe(made.sequence);
    }
    now.disconnect();
    then.disconnect();
    await asked('DELETE', 'walked');
    await client.del(...Array.from({ length: 50 }, (_, at) => `listed:${at}`));
  });

  it('opens one for a connection, which then reads it and writes nothing until it closes it', async () => {
    await client.set('key', 'then');
    await client.hset('hash', 'field', 'then');
    const made = await asked<Checkpoint>('CREATE', 'NAME', 'opened');
    const reader = new Redis(server.port);
    expect(JSON.parse(String(await reader.call('CHECKPOINT', 'OPEN', 'opened')))).toMatchObject({
      id: made.id,
    });
    await client.set('key', 'now');
    await client.set('new', 'now');
    await client.hset('hash', 'field', 'now');
    expect(await reader.mget('key', 'new')).toEqual(['then', null]);
    expect(await reader.hgetall('hash')).toEqual({ field: 'then' });
    expect((await reader.keys('*')).sort()).toEqual(['hash', 'key']);
    expect(await client.get('key')).toBe('now');
    await expect(reader.set('key', 'mine')).rejects.toThrow(/READONLY .* CHECKPOINT CLOSE/);
    await expect(reader.multi().get('key').set('key', 'mine').exec()).rejects.toThrow(/EXECABORT/);
    expect(await reader.multi().get('key').exec()).toEqual([[null, 'then']]);
    await asked('DELETE', 'opened');
    expect(await reader.get('key')).toBe('then'); // held as long as it is open
    await expect(reader.call('CHECKPOINT', 'OPEN', 'opened')).rejects.toThrow(/no checkpoint/);
    expect(await reader.call('CHECKPOINT', 'CLOSE')).toBe('OK');
    expect(await reader.get('key')).toBe('now');
    expect(await reader.set('key', 'mine')).toBe('OK');
    await asked('CREATE', 'NAME', 'again');
    await reader.call('CHECKPOINT', 'OPEN', 'again');
    await client.set('key', 'later');
    await reader.reset();
    expect(await reader.get('key')).toBe('later');
    await engine.flush(); // so that the flush of the checkpoint lets go of nothing meanwhile
    await reader.call('CHECKPOINT', 'OPEN', 'again');
    const snapshots = engine.stats().snapshots;
    reader.disconnect();
    await waitUntil('what it held is let go', () => engine.stats().snapshots === snapshots - 1);
  });

  it('says what is wrong with a request', async () => {
    const refusals: readonly (readonly [words: readonly string[], reason: RegExp])[] = [
      [['WHAT'], /what is no action/],
      [['CREATE', 'NAME'], /a name is missing/],
      [['CREATE', 'NOPE'], /NOPE is no option/],
      [['CREATE', 'LIFETIME', 'long'], /long is no time/],
      [['CREATE', 'LIFETIME', '1ms'], /not between 1 s and 100 years/],
      [['REFRESH', 'nobody'], /no checkpoint/],
      [['REFRESH'], /a checkpoint is missing/],
      [['LIST', 'STATE', 'odd'], /odd is no state/],
      [['SHOW', 'a', 'b'], /more than/],
      [['RESTORE', 'a'], /a directory is missing/],
      [['EXPORT', 'a', 'b', 'WHAT'], /WHAT is no option/],
    ];
    for (const [words, reason] of refusals) await expect(asked(...words)).rejects.toThrow(reason);
    expect(await client.ping()).toBe('PONG');
  });
});
