import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { LogDirectoryReader, summariseLog } from '../../../src/engine/index.js';
import { throwAwayDirectory } from '../../services/index.js';

const fixtures = fileURLToPath(new URL('../../fixtures/kvrocks/', import.meta.url));

const directory = throwAwayDirectory('golden');
copyFileSync(`${fixtures}wal/kvrocks-000010.log`, join(directory.path, '000010.log'));
afterAll(() => directory.remove());

/**
 * All batches up to the last record of the file, which is no batch: that Kvrocks answered `APPLYBATCH nonsense` with an
 * error, and logged it all the same.
 */
const readAll = (): { sequence: number; count: number; offset: number; bytes: Buffer }[] => {
  const reader = new LogDirectoryReader(directory.path, 0);
  const batches = [];
  for (
    let batch = reader.next();
    batch !== undefined;
    batch = batches.length < 231 ? reader.next() : undefined
  )
    batches.push({ ...batch, bytes: Buffer.from(batch.bytes) });
  reader.close();
  return batches;
};

describe('the log of a real Kvrocks', () => {
  it('holds every captured batch byte for byte', () => {
    const logged = new Set(readAll().map((batch) => batch.bytes.toString('hex').toUpperCase()));
    const captured = readFileSync(`${fixtures}vectors.jsonl`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line) => (JSON.parse(line) as { batches: string[] }).batches);
    expect(captured.length).toBeGreaterThan(180);
    expect(captured.filter((batch) => !logged.has(batch))).toEqual([]);
  });

  it('is read as RocksDB itself lists it: sequences, counts, sizes and offsets', () => {
    const listed = readFileSync(`${fixtures}wal/kvrocks-000010.ldb.txt`, 'utf8')
      .split('\n')
      .map((line) => /^(\d+),(\d+),(\d+),(\d+),/.exec(line))
      .filter((match) => match !== null)
      .map((match) => match.slice(1, 5).map(Number));
    expect(listed.length).toBe(231);
    expect(
      readAll().map(({ sequence, count, bytes, offset }) => [sequence, count, bytes.length, offset]),
    ).toEqual(listed);
  });

  it('is refused where that Kvrocks logged a record that is no batch, with the place', () => {
    const reader = new LogDirectoryReader(directory.path, 480);
    expect(reader.next()).toMatchObject({ sequence: 480 });
    expect(() => {
      while (reader.next() !== undefined);
    }).toThrow(/000010\.log at offset 1095768: a record that is no write batch/);
    reader.close();
    expect(() => [...summariseLog(directory.path)]).toThrow(/offset 1095768/);
  });

  it('is started in its middle, at the batch that contains the sequence number', () => {
    const inside = readAll().find((batch) => batch.count > 2);
    const reader = new LogDirectoryReader(directory.path, (inside?.sequence ?? 0) + 1);
    expect(reader.next()).toMatchObject({ sequence: inside?.sequence });
    reader.close();
  });
});
