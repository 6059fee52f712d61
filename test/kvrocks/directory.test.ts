import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TailraceProcess } from '../crash/tailrace-process.js';
import { throwAwayDirectory } from '../services/index.js';
import { readDataState } from '../support/data-state.js';
import { kvrocksCommands } from '../support/kvrocks-commands.js';
import { SeededRandom } from '../support/seeded-random.js';
import { runTailrace } from '../support/tailrace-program.js';
import { waitUntil } from '../support/wait-until.js';
import { CopiedKvrocks } from './copied-kvrocks.js';

const directory = throwAwayDirectory('kvrocks-directory');
const ends = new CopiedKvrocks();
afterAll(() => directory.remove());

it('the directory of a Kvrocks at work is migrated, then its log followed, to the same data', {
  timeout: 300_000,
}, async () => {
  const next = kvrocksCommands(SeededRandom.fromEnvironment('directory of a Kvrocks'));
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await ends.writer.call(...next());
  };
  await write(5_000);
  await ends.writer.call('COMPACT');
  await write(5_000);
  const words = [
    ...['--from', `dir:${ends.kvrocks.directory}`, '--to', ends.target.url],
    ...['--name', 'live', '--state', join(directory.path, 'state.json')],
  ];
  const migrator = new TailraceProcess(['migrate', ...words, '--follow'], directory.path);
  migrator.start();
  try {
    await write(2_000);
    await waitUntil('it has begun', () => migrator.said.includes('migration '));
    await migrator.killAndRestart();
    await write(2_000);
    await waitUntil('it goes on', () => migrator.said.includes('migration '));
    const cut = await runTailrace('cutover', ...words, '--quiet-for', '500', '--json');
    expect(cut.status, cut.stderr).toBe(0);
    expect(JSON.parse(cut.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ isSame: true });
  } finally {
    await migrator.kill();
  }
  expect(await readDataState(ends.copy, (key) => key.startsWith('tailrace:'))).toEqual(
    await readDataState(ends.writer),
  );
});
