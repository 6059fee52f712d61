import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { RespConnection } from '../../src/resp/index.js';
import { freePort, throwAwayDirectory } from '../services/index.js';
import { runProgram } from '../support/run-program.js';
import { waitUntil } from '../support/wait-until.js';

const program = fileURLToPath(new URL('../../bin/tailrace.js', import.meta.url));

describe('tailrace serve', () => {
  it('ends with an error that says why when the disk takes no more, and keeps what it acknowledged', async () => {
    const directory = throwAwayDirectory('serve-full');
    const port = await freePort();
    // The limit of the size of files, in blocks of 512 bytes, stands for the end of a disk.
    const limited = ['ulimit -f 400; exec "$0" "$@"', process.execPath, program, 'serve'];
    const place = ['--dir', directory.path, '--listen', `127.0.0.1:${port}`];
    const serve = spawn('sh', ['-c', ...limited, ...place], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    serve.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const ended = new Promise((resolve) => serve.once('close', resolve));
    await waitUntil('it serves', () => log.includes('serving'));
    const client = await RespConnection.open({ host: '127.0.0.1', port });
    let acknowledged = 0;
    const write = async (): Promise<void> => {
      for (; acknowledged < 1_000; acknowledged++)
        await client.call('SET', `k${acknowledged}`, 'v'.repeat(10_000));
    };
    await expect(write()).rejects.toThrow();
    expect(await ended).toBe(1);
    expect(log).toMatch(/error: writing the log in .* failed: EFBIG[\s\S]*Mend the disk[\s\S]*STORE_FAILED/);
    client.close();
    const tailed = await runProgram(process.execPath, [program, 'tail', directory.path, '--once']);
    expect(tailed.stdout).toContain(`"k${acknowledged - 1}"`);
    directory.remove();
  });

  it('says that it cannot make its directory, or that a file is in its place', async () => {
    for (const place of ['/proc/tailrace/store', program]) {
      const { status, stderr } = await runProgram(process.execPath, [program, 'serve', '--dir', place]);
      expect([status, stderr]).toEqual([1, expect.stringContaining(`cannot access ${place}`)]);
    }
  });
});
