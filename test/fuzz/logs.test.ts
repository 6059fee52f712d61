import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, it } from 'vitest';
import { LogDirectoryReader, LogFramer, summariseLog } from '../../src/engine/index.js';
import { isTailraceError } from '../../src/errors/index.js';
import { batchCount, setBatchSequence } from '../../src/write-batch/index.js';
import { readHistoryBatches } from '../data-model/captured-history.js';
import { throwAwayDirectory } from '../services/index.js';
import { SeededRandom } from '../support/seeded-random.js';
import { mutate } from './mutate.js';

/** MUTATIONS=1000000 is the long setting; each is a file that is written and read twice. */
const mutations = Number(process.env['MUTATIONS'] ?? 15_000) / 50;

/** Captured batches as a log of some blocks of 32 KiB, with records across their borders. */
const makeLog = (): Buffer => {
  const framer = new LogFramer();
  let sequence = 1;
  for (const batch of readHistoryBatches()) {
    if (batch.length > 20_000) continue; // one such would take nearly all mutations
    setBatchSequence(batch, sequence);
    sequence += batchCount(batch);
    framer.append(batch);
    if (framer.length > 80_000) break;
  }
  return Buffer.from(framer.bytes);
};

/** The batches of a directory up to its end or its damage. @throws what is neither */
const batchesOf = (directory: string): Buffer[] => {
  const batches: Buffer[] = [];
  let reader: LogDirectoryReader | undefined;
  try {
    reader = new LogDirectoryReader(directory, 0);
    for (let batch = reader.next(); batch !== undefined; batch = reader.next())
      batches.push(Buffer.from(batch.bytes));
  } catch (error) {
    if (!isDamage(error)) throw error;
  } finally {
    reader?.close();
  }
  return batches;
};

const isDamage = (error: unknown): boolean =>
  isTailraceError(error, 'WAL_CORRUPT') || isTailraceError(error, 'WAL_GAP');

it('a damaged log gives its batches up to the damage as they were, or an error that names the place', () => {
  const random = SeededRandom.fromEnvironment('damaged logs');
  const directory = throwAwayDirectory('fuzz-logs');
  const log = join(directory.path, 'log');
  mkdirSync(log);
  const path = join(log, '000010.log');
  const bytes = makeLog();
  writeFileSync(path, bytes);
  const whole = batchesOf(log);
  let cut = 0;
  for (let i = 0; i < mutations; i++) {
    writeFileSync(path, mutate(bytes, random));
    const read = batchesOf(log);
    const isPrefix = read.every((batch, at) => whole[at]?.equals(batch) === true);
    expect(isPrefix, `mutation ${i}`).toBe(true);
    if (read.length < whole.length) cut++;
    try {
      for (const segment of summariseLog(log)) expect(segment.batches).toBeLessThanOrEqual(whole.length);
    } catch (error) {
      if (!isDamage(error)) throw new Error(`mutation ${i}`, { cause: error });
    }
  }
  expect(whole.length).toBeGreaterThan(20);
  expect(cut).toBeGreaterThan(mutations / 4);
  directory.remove();
});
