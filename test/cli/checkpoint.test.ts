import { spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/data-model/commands/index.js';
import { type Checkpoint, type CheckpointInfo, Engine } from '../../src/engine/index.js';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { throwAwayDirectory } from '../services/index.js';
import type { ProgramResult } from '../support/run-program.js';
import { program, runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('checkpoint-cli');
afterAll(() => directory.remove());

const checkpoint = (...parameters: string[]): Promise<ProgramResult> =>
  runTailrace('checkpoint', ...parameters);

const putting = (key: string, value: string): Buffer =>
  new WriteBatchBuilder().put(0, Buffer.from(key), Buffer.from(value)).finish();

describe('tailrace checkpoint', () => {
  it('works on a directory that nobody has open', async () => {
    const store = join(directory.path, 'store');
    {
      await using engine = await Engine.open(store);
      await engine.write(putting('key', 'then'));
    }
    const created = await checkpoint('create', store, '--name', 'nightly', '--lifetime', '7d', '--json');
    expect(created).toMatchObject({ status: 0, stderr: '' });
    const made = JSON.parse(created.stdout) as Checkpoint;
    expect(made).toMatchObject({ name: 'nightly', sequence: 1, lifetimeMs: 604_800_000, creator: 'cli' });
    {
      await using engine = await Engine.open(store);
      await engine.write(putting('key', 'now'));
    }
    const listed = await checkpoint('list', store);
    expect(listed.stdout).toContain(made.id);
    const restored = join(directory.path, 'restored');
    const restore = await checkpoint('restore', store, 'nightly', '--to', restored);
    expect([restore.status, restore.stderr]).toEqual([0, '']);
    {
      await using engine = await Engine.open(restored);
      expect(engine.get(0, Buffer.from('key'))?.toString()).toBe('then');
    }
    const [whole, changes] = [
      join(directory.path, 'whole.checkpoint'),
      join(directory.path, 'changes.checkpoint'),
    ];
    await checkpoint('create', store, '--name', 'later');
    expect((await checkpoint('export', store, 'nightly', '--to', whole)).stdout).toContain(
      'everything up to sequence',
    );
    expect((await checkpoint('export', store, 'later', '--base', 'nightly', '--to', changes)).status).toBe(0);
    const copy = join(directory.path, 'copy');
    for (const file of [whole, changes])
      expect(await checkpoint('apply', copy, file)).toMatchObject({ status: 0, stderr: '' });
    {
      await using engine = await Engine.open(copy);
      expect(engine.get(0, Buffer.from('key'))?.toString()).toBe('now');
    }
    const read = await checkpoint('read', store, 'nightly', 'DBSIZE');
    expect(read).toEqual({ status: 0, stdout: '0\n', stderr: '' }); // the key is no Redis key
    const written = await checkpoint('read', store, 'nightly', 'SET', 'a', 'b');
    expect([written.status, written.stderr.includes('STORE_READ_ONLY')]).toEqual([1, true]);
    const labels = ['--label', 'team=a', '--label', 'run=7'];
    expect((await checkpoint('create', ...labels, store)).status).toBe(0);
    const labelled = JSON.parse((await checkpoint('list', ...labels, store, '--json')).stdout);
    expect(labelled).toMatchObject([{ labels: { team: 'a', run: '7' } }]);
    const deleted = await checkpoint('delete', store, made.id.slice(0, 8));
    expect(deleted.stdout).toContain(`deleted checkpoint ${made.id} (nightly)`);
    const unknown = await checkpoint('show', store, 'nightly');
    expect([unknown.status, unknown.stderr.includes('CHECKPOINT_NOT_FOUND')]).toEqual([1, true]);
    expect((await checkpoint('delete', store, 'nightly', '--if-exists')).status).toBe(0);
    const nowhere = await checkpoint('list', join(directory.path, 'nowhere'));
    expect([nowhere.status, nowhere.stderr.includes('holds no store')]).toEqual([1, true]);
    const wrong = await checkpoint('create', store, '--lifetime', 'soon');
    expect([wrong.status, wrong.stderr.includes("'--lifetime <time>' argument 'soon'")]).toEqual([2, true]);
  });

  it('says why it cannot ask the server that runs on the directory, and how it can', async () => {
    const store = join(directory.path, 'by-tls');
    const file = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
    const tls = [
      '--tls-cert',
      file('server.pem'),
      '--tls-key',
      file('server.key'),
      '--tls-ca',
      file('ca.pem'),
    ];
    const serve = spawn(
      process.execPath,
      [program, 'serve', '--dir', store, '--listen', '127.0.0.1:0', '--sync', 'none', ...tls],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    serve.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await waitUntil('it serves', () => /127\.0\.0\.1:\d+ /.test(log));
    const url = `rediss://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(log)?.[1]}`;
    const refused = await checkpoint('create', store, '--json');
    const { code, message, remedy } = JSON.parse(refused.stderr);
    expect([refused.status, code]).toEqual([1, 'STORE_LOCKED']);
    expect(message).toContain(`is in use by the server ${url}, which cannot be asked: cannot reach`);
    expect(message).toContain('certificate');
    expect(remedy).toContain(`${url}?cacert=FILE`);
    const stranger = await checkpoint('create', `${url}?cacert=${file('ca.pem')}`);
    expect([stranger.status, stranger.stderr]).toEqual([
      1,
      expect.stringMatching(/it demands a certificate of its clients[\s\S]*SOURCE_UNREACHABLE/),
    ]);
    const shown = `${url}?cacert=${file('ca.pem')}&cert=${file('client.pem')}&key=${file('client.key')}`;
    expect(await checkpoint('create', shown, '--name', 'mine')).toMatchObject({ status: 0, stderr: '' });
    expect((await checkpoint('list', store)).stdout).toContain('mine');
    const exited = new Promise((resolve) => serve.once('exit', resolve));
    serve.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('reads the same by a server as without one, byte by byte', async () => {
    const store = join(directory.path, 'read');
    const bytes = Buffer.from([0x61, 0, 0xff, 0x0a]);
    {
      await using engine = await Engine.open(store);
      const database = new Database(engine);
      await database.call('SET', 'bytes', bytes);
      await database.call('ZADD', 'scores', '1.5', 'a', 'inf', 'b');
      await database.call('XADD', 'stream', '1-1', 'field', 'value');
      await database.call('SET', 'large', Buffer.from('7fffffffffffffff', 'hex'));
      await engine.checkpoints.create({ name: 'then' });
    }
    const calls = [
      ['GET', 'bytes'],
      ['--json', 'GET', 'bytes'],
      ['ZRANGE', 'scores', '0', '-1', 'WITHSCORES'],
      ['--json', 'ZRANGE', 'scores', '0', '-1', 'WITHSCORES'],
      ['--json', 'ZSCORE', 'scores', 'b'],
      ['--json', 'XREAD', 'STREAMS', 'stream', '0'],
      ['--json', 'BITFIELD_RO', 'large', 'GET', 'i64', '0'],
      ['--json', 'GET'],
      ['--json', 'SET', 'a', 'b'],
      ['--json', 'NOPE', 'a'],
    ];
    const read = async (): Promise<unknown[]> => {
      const answers: unknown[] = [];
      for (const call of calls) {
        const { status, stdout, stderr } = spawnSync(process.execPath, [
          ...[program, 'checkpoint', 'read', store, 'then'],
          ...call,
        ]);
        answers.push([status, stdout.toString('latin1'), stderr.toString()]);
      }
      return answers;
    };
    const without = await read();
    expect(without.slice(0, 7)).toEqual(
      [
        `${bytes.toString('latin1')}\n`,
        `{"base64":"${bytes.toString('base64')}"}\n`,
        'a\n1.5\nb\ninf\n',
        '["a","1.5","b","inf"]\n',
        '"inf"\n',
        '[["stream",[["1-1",["field","value"]]]]]\n',
        '["9223372036854775807"]\n',
      ].map((answer) => [0, answer, '']),
    );
    const serve = spawn(process.execPath, [program, 'serve', '--dir', store, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    serve.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await waitUntil('it serves', () => /127\.0\.0\.1:\d+ /.test(log));
    expect(await read()).toEqual(without);
    const exited = new Promise((resolve) => serve.once('exit', resolve));
    serve.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('goes through the server that runs on the directory, and not through a note that a crash left', async () => {
    const store = join(directory.path, 'served');
    const serve = spawn(
      process.execPath,
      [program, 'serve', '--dir', store, '--listen', '127.0.0.1:0', '--sync', 'none', '--json'].concat([
        '--checkpoint-changes',
        '100',
        '--checkpoint-keep',
        '2',
        '--requirepass',
        'secret',
      ]),
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    serve.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await waitUntil('it serves', () => log.includes('127.0.0.1:'));
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(log)?.[1]);
    const client = new Redis(port, { password: 'secret' });
    await client.set('key', 'then');
    const refused = await checkpoint('create', store, '--name', 'mine');
    expect([refused.status, refused.stderr.includes('NOAUTH')]).toEqual([1, true]);
    const options = ['--password', 'secret', '--json'];
    const created = await checkpoint('create', store, '--name', 'mine', ...options);
    expect(JSON.parse(created.stdout)).toMatchObject({ name: 'mine', sequence: 1, creator: 'resp' });
    const policyMade = async (): Promise<CheckpointInfo[]> =>
      JSON.parse(String(await client.call('CHECKPOINT', 'LIST', 'NAME', 'automatic'))) as CheckpointInfo[];
    await waitUntil('the policy keeps the two newest', async () => {
      for (let i = 0; i < 50; i++) await client.set('key', `now ${i}`);
      const made = await policyMade();
      return made.length === 2 && (made[1]?.sequence ?? 0) > 100;
    });
    const then = await checkpoint('read', store, 'mine', 'MGET', 'key', 'none', ...options);
    expect(then).toMatchObject({ stdout: '["then",null]\n', stderr: '' });
    const refusedWrite = await checkpoint('read', store, 'mine', 'SET', 'key', 'x', ...options);
    expect([refusedWrite.status, refusedWrite.stderr.includes('STORE_READ_ONLY')]).toEqual([1, true]);
    const restored = join(directory.path, 'from-server');
    const restore = await checkpoint(
      'restore',
      `redis://:secret@127.0.0.1:${port}`,
      'mine',
      '--to',
      restored,
    );
    expect([restore.status, restore.stderr]).toEqual([0, '']);
    const fromHere = relative(process.cwd(), join(directory.path, 'from-here'));
    const asked = await checkpoint('restore', store, 'mine', '--to', fromHere, ...options);
    expect([asked.stderr, existsSync(fromHere)]).toEqual(['', true]);
    const again = await checkpoint('restore', store, 'mine', '--to', fromHere, ...options);
    expect(JSON.parse(again.stderr)).toMatchObject({
      message: expect.stringMatching(/ is not empty$/),
      remedy: 'Name a directory that is empty, or not there yet.',
    });
    client.disconnect();
    const exited = new Promise((resolve) => serve.once('exit', resolve));
    serve.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(existsSync(join(store, 'SERVER'))).toBe(false);
    writeFileSync(
      join(store, 'SERVER'),
      JSON.stringify({ url: `redis://127.0.0.1:${port}`, pid: process.pid }),
    );
    const shown = await checkpoint('show', store, 'mine', '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({ name: 'mine', sequence: 1, isWritten: true });
    {
      await using engine = await Engine.open(restored);
      expect(engine.sequence).toBe(1);
    }
  });
});
