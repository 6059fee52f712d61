import { expect, it } from 'vitest';
import { WriteBatchBuilder } from '../../src/write-batch/index.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { runTailrace } from '../support/tailrace-program.js';

it('tail shows what is left of the log of a server, and says where that begins later than it was told to', async () => {
  // A Kvrocks whose log begins at 17.
  await using server = await ScriptedServer.open(([name, sequence]) => {
    if (name !== 'POLLUPDATES') return '-ERR unknown command\r\n';
    if (Number(sequence) < 16)
      return `-ERR mismatched sequence number, expected ${Number(sequence) + 1} but got 17\r\n`;
    return updates(Number(sequence) === 16 ? [stringAt(17)] : []);
  });
  const tail = (...parameters: string[]) => runTailrace('tail', server.url, '--once', ...parameters);
  const line = '17  put string  "k"  value="v"\n';
  expect(await tail()).toMatchObject({ status: 0, stdout: line, stderr: '' });
  const later = await tail('--from', '3');
  expect([later.stdout, later.stderr]).toEqual([
    line,
    expect.stringContaining('the log begins later than that from=3 first=17'),
  ]);
  expect(await tail('--from', '16')).toMatchObject({ stdout: line, stderr: '' });
});

const stringAt = (sequence: number): string => {
  const value = Buffer.from('\x81\0\0\0\0\0\0\0\0v', 'latin1');
  const batch = new WriteBatchBuilder().put(1, Buffer.from('\x0b__namespacek'), value);
  return batch.finish(sequence).toString('hex');
};

const updates = (batches: readonly string[]): string =>
  `*6\r\n$13\r\nnext_sequence\r\n:18\r\n$15\r\nlatest_sequence\r\n:17\r\n$7\r\nupdates\r\n*${batches.length}\r\n${batches
    .map((text) => `$${text.length}\r\n${text}\r\n`)
    .join('')}`;
