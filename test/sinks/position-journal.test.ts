import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type JournalEntry, PositionJournal, readLastEntry } from '../../sinks/file/position-journal.js';
import { throwAwayDirectory } from '../services/index.js';

let directory: ReturnType<typeof throwAwayDirectory>;
let path: string;
beforeEach(() => {
  directory = throwAwayDirectory('position-journal');
  path = join(directory.path, 'journal');
});
afterEach(() => directory.remove());

const entry = (n: number): JournalEntry => ({
  segment: n,
  dataBytes: 1_000 * n,
  epoch: 2 ** 40 + n,
  position: n === 0 ? null : { sequence: 2 ** 50 + n, count: n, crc: 0xffff_ff00 + n },
});

const writeEntries = async (count: number): Promise<Buffer> => {
  const journal = new PositionJournal(directory.path, path);
  await journal.restart(entry(0));
  for (let n = 1; n < count; n++) await journal.append(entry(n));
  await journal.close();
  return readFileSync(path);
};

it('the journal of a file sink ends with the last entry, and has none where there is no journal', async () => {
  expect(readLastEntry(path)).toBeUndefined();
  for (const count of [1, 2, 3]) {
    await writeEntries(count);
    expect(readLastEntry(path)).toEqual(entry(count - 1));
  }
});

it('its last entry is the one before, wherever that one was torn or any byte of it is not what was written', async () => {
  const whole = await writeEntries(3);
  const recordBytes = whole.length / 3;
  for (let at = 2 * recordBytes; at < whole.length; at++) {
    writeFileSync(path, whole.subarray(0, at));
    expect(readLastEntry(path)).toEqual(entry(1));
    const damaged = Buffer.from(whole);
    damaged[at] ^= 1 << (at & 7);
    writeFileSync(path, damaged);
    expect(readLastEntry(path)).toEqual(entry(1));
  }
  writeFileSync(path, Buffer.alloc(whole.length, 0xff));
  expect(readLastEntry(path)).toBeUndefined();
});

it('it never grows beyond its limit, and ends with the last entry all the same', async () => {
  const journal = new PositionJournal(directory.path, path, 200);
  await journal.restart(entry(0));
  for (let n = 1; n < 20; n++) {
    await journal.append(entry(n));
    expect(statSync(path).size).toBeLessThanOrEqual(200);
    expect(readLastEntry(path)).toEqual(entry(n));
  }
  await journal.close();
});
