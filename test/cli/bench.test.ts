import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/kit/index.js';
import { startRedis, throwAwayDirectory } from '../services/index.js';
import { runProgram } from '../support/run-program.js';

const program = fileURLToPath(new URL('../../bin/tailrace.js', import.meta.url));

it('bench measures a store, a file and a Redis, and leaves nothing behind', async () => {
  const directory = throwAwayDirectory('bench');
  const redis = await startRedis();
  try {
    const connection = await RespConnection.open(parseRedisUrl(redis.url));
    await connection.send(Buffer.from('*3\r\n$3\r\nSET\r\n$4\r\nmine\r\n$1\r\nv\r\n'), 1);
    const parameters = ['bench', '--changes', '2000', '--dir', directory.path, '--to', redis.url, '--json'];
    const { status, stdout, stderr } = await runProgram(process.execPath, [program, ...parameters]);
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
