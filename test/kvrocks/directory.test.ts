import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseRedisUrl, RespConnection } from '../../src/resp/index.js';
import { TailraceProcess } from '../crash/tailrace-process.js';
import {
  type KvrocksService,
  type RedisService,
  startKvrocks,
  startRedis,
  throwAwayDirectory,
} from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { kvrocksCommands } from '../support/kvrocks-commands.js';
import { runProgram } from '../support/run-program.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

const directory = throwAwayDirectory('kvrocks-directory');
let kvrocks: KvrocksService;
let target: RedisService;
let writer: RespConnection;
let copy: RespConnection;
beforeAll(async () => {
  [kvrocks, target] = await Promise.all([startKvrocks(), startRedis()]);
  [writer, copy] = await Promise.all(
    [kvrocks.url, target.url].map((url) => RespConnection.open(parseRedisUrl(url))),
  );
});
afterAll(async () => {
  writer.close();
  copy.close();
  await Promise.all([kvrocks.stop(), target.stop()]);
  directory.remove();
});

it('the directory of a Kvrocks at work is migrated, then its log followed, to the same data', {
  timeout: 300_000,
}, async () => {
  const next = kvrocksCommands(SeededRandom.fromEnvironment('directory of a Kvrocks'));
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await writer.call(...next());
  };
  await write(5_000);
  await writer.call('COMPACT');
  await write(5_000);
  const words = [
    ...['--from', `dir:${kvrocks.directory}`, '--to', target.url],
    ...['--name', 'live', '--state', join(directory.path, 'state.json')],
  ];
  const migrator = new TailraceProcess(['migrate', ...words, '--follow'], directory.path);
  migrator.start();
  try {
    await write(2_000);
    await waitUntil('it has begun', () => migrator.said.includes('migration '));
    await migrator.killAndRestart();
    await write(2_000);
    const cut = await runProgram(process.execPath, [
      'bin/tailrace.js',
      ...['cutover', ...words, '--quiet-for', '500', '--json'],
    ]);
    expect(cut.status, cut.stderr).toBe(0);
    expect(JSON.parse(cut.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ isSame: true });
  } finally {
    await migrator.kill();
  }
  expect(await readDataState(copy, (key) => key.startsWith('tailrace:'))).toEqual(
    await readDataState(writer),
  );
});
