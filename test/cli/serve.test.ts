import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { RespConnection } from '../../src/resp/index.js';
import { freePort, throwAwayDirectory } from '../services/index.js';
import { program, runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';

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
    const tailed = await runTailrace('tail', directory.path, '--once');
    expect(tailed.stdout).toContain(`"k${acknowledged - 1}"`);
    directory.remove();
  });

  it('keeps files for the store when more clients connect than it may open sockets', async () => {
    const directory = throwAwayDirectory('serve-many');
    const port = await freePort();
    const limited = ['ulimit -n 300; exec "$0" "$@"', process.execPath, program, 'serve'];
    const place = ['--dir', directory.path, '--listen', `127.0.0.1:${port}`];
    const serve = spawn('sh', ['-c', ...limited, ...place], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    serve.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await waitUntil('it serves', () => log.includes('serving'));
    expect(log).toContain('maxclients=204 asked=10000');
    const client = await RespConnection.open({ host: '127.0.0.1', port });
    const others = Array.from({ length: 400 }, () => connect(port, '127.0.0.1'));
    let answers = 0;
    let refused = 0;
    for (const socket of others) {
      socket.on('error', () => undefined);
      socket.on('close', () => refused++);
      socket.once('data', () => answers++);
      socket.write('PING\r\n');
    }
    // The first write makes the first file of the log, and `flushmemtable` the data file.
    expect(String(await client.call('SET', 'key', 'value'))).toBe('OK');
    expect(String(await client.call('FLUSHMEMTABLE'))).toBe('OK');
    await waitUntil('the others are served or refused', () => answers >= 203 && refused >= 196);
    for (const socket of others) socket.destroy();
    client.close();
    serve.kill();
    await new Promise((resolve) => serve.once('close', resolve));
    expect(log).not.toContain('error');
    directory.remove();
  });

  it('says that it cannot make its directory, or that a file is in its place', async () => {
    for (const place of ['/proc/tailrace/store', program]) {
      const { status, stderr } = await runTailrace('serve', '--dir', place);
      expect([status, stderr]).toEqual([1, expect.stringContaining(`cannot access ${place}`)]);
    }
  });
});
