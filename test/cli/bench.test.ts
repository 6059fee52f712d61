import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/kit/index.js';
import { startRedis, throwAwayDirectory } from '../services/index.js';
import { program, runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

it('bench measures a store, a file and a Redis, and leaves nothing behind', async () => {
  const directory = throwAwayDirectory('bench');
  const redis = await startRedis();
  try {
    const connection = await RespConnection.open(parseRedisUrl(redis.url));
    await connection.send(Buffer.from('*3\r\n$3\r\nSET\r\n$4\r\nmine\r\n$1\r\nv\r\n'), 1);
    const parameters = ['bench', '--changes', '2000', '--dir', directory.path, '--to', redis.url, '--json'];
    const { status, stdout, stderr } = await runTailrace(...parameters);
    expect([status, stderr]).toEqual([0, '']);
    const measured = JSON.parse(stdout) as { what: string; count: number; perSecond: number }[];
    expect(measured.map(({ what }) => what)).toEqual([
      'one write at a time, each synced',
      'writes, 500 in a sync',
      'reads of one key',
      'delivery to a file, synced',
      `delivery to ${redis.url.replace('redis://', '')}`,
    ]);
    for (const { count, perSecond } of measured) expect([count > 0, perSecond > 0]).toEqual([true, true]);
    expect(measured[3].count).toBe(measured[4].count);
    expect(readdirSync(directory.path)).toEqual([]);
    expect(await connection.send(Buffer.from('*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n'), 1)).toEqual([
      [Buffer.from('mine')],
    ]);
    connection.close();
  } finally {
    await redis.stop();
    directory.remove();
  }
});

it('bench tells what was measured when it is interrupted, and leaves nothing behind either', async () => {
  const directory = throwAwayDirectory('bench');
  try {
    const child = spawn(process.execPath, [
      program,
      'bench',
      '--changes',
      '99999999',
      '--dir',
      directory.path,
    ]);
    const told = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].on('data', (chunk: Buffer) => {
        told[name] += chunk.toString();
      });
    const closed = new Promise((resolve) => child.once('close', resolve));
    const isWriting = (): boolean => {
      const [own] = readdirSync(directory.path);
      try {
        return readFileSync(join(directory.path, own, 'store', '000001.log')).length > 0;
      } catch {
        return false;
      }
    };
    await waitUntil('it writes', isWriting);
    child.kill('SIGINT');
    expect(await closed).toBe(130);
    expect(told.stdout).toMatch(/^WHAT .*\none write at a time, each synced +[\d,]+ writes\/s .*\n$/);
    expect(told.stderr).toBe('interrupted: nothing beyond this was measured\n');
    expect(readdirSync(directory.path)).toEqual([]);
  } finally {
    directory.remove();
  }
});
